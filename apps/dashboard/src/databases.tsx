import type { ServiceDatabase } from "@kindred/contracts/metrics/v1";
import { bytesText, countText } from "./format.ts";
import { databaseSummary, tablesOf } from "./database-figures.ts";

/** What each service has in its database: connections, and tables, largest first. Closed until somebody wants to know. */
export function Databases({ databases }: { databases: readonly ServiceDatabase[] }) {
  if (databases.length === 0) return null;
  return (
    <details className="databases">
      <summary>{databaseSummary(databases)}</summary>
      {databases.map(({ service, usage }) => (
        <table key={service}>
          <caption>
            {service}
            {usage?.pool && (
              <span>
                {" "}
                {usage.pool.total - usage.pool.idle} of {usage.pool.max} connections in use
                {usage.pool.waiting > 0 && `, ${usage.pool.waiting} wait`}
              </span>
            )}
          </caption>
          <thead>
            <tr>
              <th scope="col">table</th>
              <th scope="col">rows</th>
              <th scope="col">size</th>
              <th scope="col">indexes</th>
            </tr>
          </thead>
          <tbody>
            {tablesOf(usage).map(({ name, estimatedRows, tableBytes, indexBytes, partitions }) => (
              <tr key={name}>
                <th scope="row">
                  {name}
                  {partitions > 0 && <span> {countText(partitions)} partitions</span>}
                </th>
                <td>{estimatedRows === undefined ? "–" : `~${countText(estimatedRows)}`}</td>
                <td>{bytesText(tableBytes)}</td>
                <td>{bytesText(indexBytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ))}
    </details>
  );
}
