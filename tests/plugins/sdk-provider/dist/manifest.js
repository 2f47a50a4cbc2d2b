// A sandbox provider for the tests. Its worker runs on the published SDK as it is on npm.
import { PLUGIN_API_VERSION } from "@paperclipai/plugin-sdk";

console.log("a manifest may log");

export default {
  id: "paperclip.fake-sandbox-provider",
  apiVersion: PLUGIN_API_VERSION,
  version: "0.1.0",
  displayName: "Fake Sandbox Provider",
  description: "Sandboxes that are directories of this machine, for tests.",
  author: "Paperclip",
  categories: ["automation"],
  capabilities: ["environment.drivers.register"],
  entrypoints: { worker: "./dist/worker.js" },
  environmentDrivers: [
    {
      driverKey: "fake-plugin",
      kind: "sandbox_provider",
      displayName: "Fake Sandbox Provider",
      description: "A directory for each lease.",
      configSchema: {
        type: "object",
        properties: {
          image: { type: "string", default: "fake:latest" },
          timeoutMs: { type: "number", default: 300000 },
          reuseLease: { type: "boolean", default: false },
          apiKey: { type: "string", format: "secret-ref" },
        },
      },
    },
  ],
};
