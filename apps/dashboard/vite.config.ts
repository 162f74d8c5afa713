import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `npx vite` serves the page alone for work on it; its calls go to a Kindred that runs (npm start).
const origin = "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react()],
  build: { outDir: "dist", emptyOutDir: true, assetsInlineLimit: 0 },
  server: {
    proxy: Object.fromEntries(
      ["^/kindred\\.", "/media", "/readyz"].map((path) => [path, { target: origin }]),
    ),
  },
});
