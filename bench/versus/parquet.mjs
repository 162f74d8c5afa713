// Other Parquet libraries, behind the two calls that parquet.ts measures. Each writes zstd, and gives strings of JavaScript back.
// Batches are { ids: BigInt64Array, names: string[], artists: string[], lyrics: string[] }; what is read goes to `see(id, lyrics)`.
import { openAsBlob } from "node:fs";
import { open, rm } from "node:fs/promises";

/** @type {Record<string, () => Promise<{ write: Function, read: Function }>>} */
export const libraries = {
  "parquet-wasm": async () => {
    const wasm = await import("parquet-wasm/node");
    const arrow = await import("apache-arrow");
    const schema = new arrow.Schema([
      new arrow.Field("id", new arrow.Int64(), false),
      ...["name", "artist", "lyrics"].map((name) => new arrow.Field(name, new arrow.Utf8(), false)),
    ]);
    const recordBatch = ({ ids, names, artists, lyrics }) => {
      const text = (values) => arrow.vectorFromArray(values, new arrow.Utf8()).data[0];
      const id = arrow.makeVector(ids).data[0];
      const children = [id, text(names), text(artists), text(lyrics)];
      const struct = arrow.makeData({ type: new arrow.Struct(schema.fields), length: ids.length, children });
      const table = new arrow.Table(schema, new arrow.RecordBatch(schema, struct));
      return wasm.Table.fromIPCStream(arrow.tableToIPC(table, "stream")).recordBatch(0);
    };
    return {
      async write(file, batches, groupRows) {
        const properties = new wasm.WriterPropertiesBuilder()
          .setCompression(wasm.Compression.ZSTD)
          .setMaxRowGroupSize(groupRows)
          .build();
        const source = ReadableStream.from(
          (function* () {
            for (const batch of batches) yield recordBatch(batch);
          })(),
        );
        const handle = await open(file, "w");
        for await (const bytes of await wasm.transformParquetStream(source, properties))
          await handle.write(bytes);
        await handle.sync();
        await handle.close();
      },
      async read(file, see) {
        const parquet = await wasm.ParquetFile.fromFile(await openAsBlob(file));
        for await (const batch of await parquet.stream({ batchSize: 1024, columns: ["id", "lyrics"] })) {
          const table = arrow.tableFromIPC(batch.intoIPCStream());
          const [ids, lyrics] = [table.getChild("id"), table.getChild("lyrics")];
          for (let row = 0; row < table.numRows; row++) see(ids.get(row), lyrics.get(row));
        }
      },
    };
  },

  "@duckdb/node-api": async () => {
    const { DuckDBDataChunk, DuckDBInstance, BIGINT, VARCHAR } = await import("@duckdb/node-api");
    return {
      // Rows of JavaScript reach COPY through a table; in a file, as it has to be at twelve million rows.
      async write(file, batches, groupRows) {
        const database = `${file}.duckdb`;
        const instance = await DuckDBInstance.create(database, { threads: "2", memory_limit: "400MB" });
        const connection = await instance.connect();
        await connection.run("CREATE TABLE songs (id BIGINT, name VARCHAR, artist VARCHAR, lyrics VARCHAR)");
        const appender = await connection.createAppender("songs");
        for (const { ids, names, artists, lyrics } of batches) {
          for (let from = 0; from < ids.length; from += 2048) {
            const chunk = DuckDBDataChunk.create([BIGINT, VARCHAR, VARCHAR, VARCHAR]);
            const cut = (values) => Array.from(values.slice(from, from + 2048));
            chunk.setColumns([cut(ids), cut(names), cut(artists), cut(lyrics)]);
            appender.appendDataChunk(chunk);
          }
        }
        appender.closeSync();
        await connection.run("SET preserve_insertion_order = true");
        await connection.run(
          `COPY songs TO '${file}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${groupRows})`,
        );
        connection.closeSync();
        instance.closeSync();
        await rm(database, { force: true });
      },
      async read(file, see) {
        const instance = await DuckDBInstance.create(":memory:", { threads: "2", memory_limit: "400MB" });
        const connection = await instance.connect();
        const result = await connection.stream(`SELECT id, lyrics FROM '${file}'`);
        for (;;) {
          const chunk = await result.fetchChunk();
          if (chunk === null || chunk.rowCount === 0) break;
          const [ids, lyrics] = chunk.getColumns();
          for (let row = 0; row < chunk.rowCount; row++) see(ids[row], lyrics[row]);
        }
        connection.closeSync();
        instance.closeSync();
      },
    };
  },

  "nodejs-polars": async () => {
    const { default: pl } = await import("nodejs-polars");
    return {
      // It has no writer that takes one batch after the other: a file is one DataFrame.
      async write(file, batches, groupRows) {
        const frames = Array.from(batches, ({ ids, names, artists, lyrics }) =>
          pl.DataFrame({ id: pl.Series("id", ids), name: names, artist: artists, lyrics }),
        );
        pl.concat(frames).writeParquet(file, { compression: "zstd", rowGroupSize: groupRows });
      },
      async read(file, see) {
        const step = 16_384;
        for (let from = 0; ; from += step) {
          const frame = pl.scanParquet(file).select("id", "lyrics").slice(from, step).collectSync();
          const [ids, lyrics] = [frame.getColumn("id").toArray(), frame.getColumn("lyrics").toArray()];
          for (let row = 0; row < ids.length; row++) see(BigInt(ids[row]), lyrics[row]);
          if (ids.length < step) break;
        }
      },
    };
  },
};
