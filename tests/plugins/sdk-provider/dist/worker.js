// Sandboxes that are directories, as spec/environments.md 13 has them, on the published SDK.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { definePlugin, runWorker } from "@paperclipai/plugin-sdk";

const sandboxes = new Map(); // lease id -> {root, cwd}

const parsed = (config) => ({
  image: (typeof config.image === "string" && config.image.trim()) || "fake:latest",
  timeoutMs: Number.isFinite(config.timeoutMs) ? config.timeoutMs : 300000,
  reuseLease: config.reuseLease === true,
});

function lease(providerLeaseId, config, resumed) {
  let sandbox = sandboxes.get(providerLeaseId);
  const existed = sandbox !== undefined;
  if (!sandbox) {
    const root = mkdtempSync(path.join(tmpdir(), "paperclip-fake-sandbox-"));
    sandbox = { root, cwd: path.join(root, "workspace") };
    mkdirSync(sandbox.cwd);
    sandboxes.set(providerLeaseId, sandbox);
  }
  const { image, reuseLease } = parsed(config);
  const metadata = { provider: "fake-plugin", image, reuseLease, remoteCwd: sandbox.cwd, fakeRootDir: sandbox.root, resumedLease: resumed || existed };
  return { providerLeaseId, metadata };
}

function remove(providerLeaseId) {
  const sandbox = sandboxes.get(providerLeaseId);
  if (sandbox) rmSync(sandbox.root, { recursive: true, force: true });
  sandboxes.delete(providerLeaseId);
}

function execute(params) {
  const timeoutMs = params.timeoutMs ?? parsed(params.config).timeoutMs;
  const args = params.args ?? [];
  const metadata = { startedAt: new Date().toISOString(), commandLine: [params.command, ...args].join(" ") };
  return new Promise((resolve, reject) => {
    const env = { PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", ...params.env };
    const child = spawn(params.command, args, { cwd: params.cwd ?? sandboxes.get(params.lease.providerLeaseId)?.cwd, env });
    let stdout = "", stderr = "", timedOut = false, harder = null;
    const timer = timeoutMs > 0 ? setTimeout(() => {
      timedOut = true;
      child.kill("SIGTERM");
      harder = setTimeout(() => child.kill("SIGKILL"), 250);
    }, timeoutMs) : null;
    child.stdout.on("data", (data) => { stdout += data; });
    child.stderr.on("data", (data) => { stderr += data; });
    child.on("error", reject);
    child.stdin.on("error", () => {});
    child.stdin.end(params.stdin ?? "");
    child.on("close", (exitCode, signal) => {
      clearTimeout(timer);
      clearTimeout(harder);
      resolve({ exitCode: timedOut ? null : exitCode, signal, timedOut, stdout, stderr, metadata });
    });
  });
}

const plugin = definePlugin({
  async setup(ctx) { ctx.logger.info("ready"); },
  async onEnvironmentValidateConfig({ config }) { return { ok: true, normalizedConfig: parsed(config) }; },
  async onEnvironmentProbe({ config }) {
    const known = parsed(config);
    return { ok: true, summary: `Fake sandbox provider is ready for image ${known.image}.`, metadata: { provider: "fake-plugin", ...known } };
  },
  async onEnvironmentAcquireLease({ runId, environmentId, config }) {
    return lease(config.reuseLease === true ? `fake-plugin://${environmentId}` : `fake-plugin://${runId}/${randomUUID()}`, config, false);
  },
  async onEnvironmentResumeLease({ providerLeaseId, config }) { return lease(providerLeaseId, config, true); },
  async onEnvironmentReleaseLease({ providerLeaseId, config }) { if (config.reuseLease !== true) remove(providerLeaseId); },
  async onEnvironmentDestroyLease({ providerLeaseId }) { remove(providerLeaseId); },
  async onEnvironmentRealizeWorkspace({ lease: held, workspace }) {
    const cwd = sandboxes.get(held.providerLeaseId)?.cwd ?? held.metadata?.remoteCwd ?? workspace.remotePath ?? workspace.localPath ?? path.join(tmpdir(), "paperclip-fake-sandbox-workspace");
    if (!existsSync(cwd)) mkdirSync(cwd, { recursive: true });
    return { cwd, metadata: { provider: "fake-plugin", remoteCwd: cwd } };
  },
  async onEnvironmentExecute(params) { return execute(params); },
});

export default plugin;
runWorker(plugin, import.meta.url);
