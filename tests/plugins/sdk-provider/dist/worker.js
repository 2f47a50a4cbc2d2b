import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { definePlugin, runWorker } from "@paperclipai/plugin-sdk";

const sandboxes = new Map(); // lease id -> directory

function run(params) {
  const started = Date.now();
  return new Promise((resolve, reject) => {
    const cwd = params.cwd ?? sandboxes.get(params.lease.providerLeaseId);
    const child = spawn(params.command, params.args ?? [], { cwd, env: { PATH: process.env.PATH, ...params.env } });
    let stdout = "", stderr = "", timedOut = false;
    const timer = params.timeoutMs ? setTimeout(() => { timedOut = true; child.kill("SIGKILL"); }, params.timeoutMs) : null;
    child.stdout.on("data", (data) => { stdout += data; });
    child.stderr.on("data", (data) => { stderr += data; });
    child.on("error", reject);
    child.stdin.on("error", () => {});
    child.stdin.end(params.stdin ?? "");
    child.on("close", (exitCode, signal) => {
      clearTimeout(timer);
      resolve({ exitCode, signal, timedOut, stdout, stderr, metadata: { ms: Date.now() - started } });
    });
  });
}

const plugin = definePlugin({
  async setup(ctx) { ctx.logger.info("ready"); },
  async onEnvironmentValidateConfig({ config }) {
    if (config.image === "") return { ok: false, errors: ["An image is needed."] };
    return { ok: true, normalizedConfig: { image: "fake:latest", reuseLease: false, ...config } };
  },
  async onEnvironmentProbe({ config }) { return { ok: true, summary: `Image ${config.image}`, metadata: { variables: Object.keys(process.env).sort() } }; },
  async onEnvironmentAcquireLease({ runId, config }) {
    const providerLeaseId = `sdk://${runId}/${randomUUID()}`;
    const directory = mkdtempSync(path.join(tmpdir(), "paperclip-sdk-provider-"));
    sandboxes.set(providerLeaseId, directory);
    return { providerLeaseId, metadata: { remoteCwd: directory, shellCommand: "sh", image: config.image } };
  },
  async onEnvironmentResumeLease({ providerLeaseId }) {
    if (!sandboxes.has(providerLeaseId)) return { providerLeaseId: null };
    return { providerLeaseId, metadata: { remoteCwd: sandboxes.get(providerLeaseId), resumedLease: true } };
  },
  async onEnvironmentReleaseLease({ providerLeaseId }) {
    const directory = sandboxes.get(providerLeaseId);
    if (directory) rmSync(directory, { recursive: true, force: true });
    sandboxes.delete(providerLeaseId);
  },
  async onEnvironmentDestroyLease(params) { await plugin.definition.onEnvironmentReleaseLease(params); },
  async onEnvironmentRealizeWorkspace({ lease }) { return { cwd: sandboxes.get(lease.providerLeaseId) }; },
  async onEnvironmentExecute(params) { return run(params); },
});

export default plugin;
runWorker(plugin, import.meta.url);
