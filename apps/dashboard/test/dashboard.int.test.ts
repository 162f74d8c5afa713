import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createClient } from "@connectrpc/connect";
import { ImageService } from "@kindred/contracts/vector-store/v1";
import { pictures, writeGallery } from "@kindred/gallery";
import { openChannel } from "@kindred/rpc";
import { startStack, type Stack } from "@kindred/testing";
import { installedChromium, openBrowser, type TestBrowser } from "./browser.ts";

const chromium = installedChromium();
const root = fileURLToPath(new URL("..", import.meta.url));
const screenshots = process.env["KINDRED_SCREENSHOTS"];

// eslint-disable-next-line jest/no-disabled-tests
const inBrowser = chromium === undefined ? describe.skip : describe;

inBrowser(
  `the page in a real browser${chromium === undefined ? " (skipped: no Chromium on PATH)" : ""}`,
  () => {
    let stack: Stack;
    let browser: TestBrowser;

    beforeAll(async () => {
      // As it is built for people: under jest's NODE_ENV React would come with its development checks.
      execFileSync("npm", ["run", "build", "--silent"], {
        cwd: root,
        env: { ...process.env, NODE_ENV: "production" },
        stdio: ["ignore", "ignore", "inherit"],
      });
      stack = await startStack({ origin: true });
      await writeGallery(stack.mediaRoot);
      await using channel = openChannel({ address: stack.addresses["vector-store"] as string });
      await createClient(ImageService, channel.transport).batchAddImages(
        (async function* () {
          yield {
            images: pictures.map(({ path, caption, tags, width, height }) => ({
              image: { imagePath: path, description: caption, tags: [...tags], width, height, format: "png" },
            })),
          };
        })(),
        { timeoutMs: 120_000 },
      );
      browser = await openBrowser(chromium as string);
    }, 300_000);

    afterAll(async () => {
      await browser?.[Symbol.asyncDispose]();
      await stack?.[Symbol.asyncDispose]();
    });

    async function screenshot(name: string): Promise<void> {
      if (screenshots === undefined) return;
      mkdirSync(screenshots, { recursive: true });
      await browser.page.screenshot({ path: `${screenshots}/${name}.png`, fullPage: true });
    }

    test("finds pictures by meaning, and shows them", async () => {
      const { page } = browser;
      await page.goto(stack.originUrl as string);
      await page.getByRole("searchbox").fill("a cat resting at home");
      await page.keyboard.press("Enter");
      const first = page.locator(".grid > li").first();
      await first.waitFor();
      expect(await first.locator(".caption").textContent()).toMatch(/cat|kitten/i);
      expect(page.url()).toContain("?q=a+cat+resting+at+home");
      // Really decoded, not only asked for.
      const image = first.locator("img");
      await image.evaluate((element) => (element as unknown as { decode(): Promise<void> }).decode());
      expect(
        await image.evaluate((element) => (element as unknown as { naturalWidth: number }).naturalWidth),
      ).toBeGreaterThan(100);
      expect(await page.getByRole("status").last().textContent()).toMatch(
        /12 pictures.*exact.*text to vector.*database/,
      );
      await screenshot("search-light");
    });

    test("goes from a picture to those like it, and back", async () => {
      const { page } = browser;
      const caption = (await page.locator(".grid > li .caption").first().textContent()) as string;
      await page.locator(".grid > li button.picture").first().click();
      await page.waitForURL(/\?like=\d+/);
      await page.locator(".results:not(.stale)").waitFor();
      const captions = await page.locator(".grid > li .caption").allTextContents();
      expect(captions).toHaveLength(12);
      expect(captions).not.toContain(caption);
      await page.goBack();
      await page.locator(`.grid > li .caption:text-is(${JSON.stringify(caption)})`).waitFor();
      expect(await page.getByRole("searchbox").inputValue()).toBe("a cat resting at home");
    });

    test("holds to the least similarity", async () => {
      const { page } = browser;
      await page.goto(`${stack.originUrl}/?q=a+cat+resting+at+home&threshold=0.9`);
      await page.getByText("Nothing is that similar.").waitFor();
      expect(await page.locator(".grid > li").count()).toBe(0);
    });

    test("shows statistics and the services' health", async () => {
      const { page } = browser;
      await page.goto(stack.originUrl as string);
      const images = page.locator(".statistics dl > div", { hasText: /^images|images$/ }).first();
      await expect(images.locator("dd").textContent()).resolves.toBeDefined();
      await page
        .locator(".statistics dd", { hasText: String(pictures.length) })
        .first()
        .waitFor();
      await page.locator(".service.up").nth(3).waitFor();
      await page.locator(".databases summary").click();
      const tables = page.locator(".databases table");
      await expect(tables.locator("caption").allTextContents()).resolves.toEqual([
        expect.stringMatching(/^generation-tracking \d+ of \d+ connections in use/),
        expect.stringMatching(/^metrics \d/),
        expect.stringMatching(/^vector-store \d/),
      ]);
      await tables.getByRole("rowheader", { name: "embeddings", exact: true }).waitFor();
      await page.emulateMedia({ colorScheme: "dark" });
      await page.goto(`${stack.originUrl}/?q=stormy+weather`);
      await page.locator(".grid > li").first().waitFor();
      await screenshot("search-dark");
    });

    test("says what is wrong while a service is away, and recovers", async () => {
      expect(browser.complaints).toEqual([]);
      const { page } = browser;
      const restarted = stack.killAndAwaitRestart("embedding");
      await page.goto(`${stack.originUrl}/?q=a+red+bicycle`);
      // The search waits for the service's successor, or says what is away.
      await page.locator(".grid > li, .notice").first().waitFor({ timeout: 20_000 });
      await restarted;
      await page.goto(`${stack.originUrl}/?q=a+red+bicycle`);
      await page.locator(".grid > li").first().waitFor();
    }, 60_000);
  },
);
