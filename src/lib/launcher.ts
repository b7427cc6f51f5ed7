// The commands in bin/ are small Node programs that start this one and pass signals on to it. When
// such a launcher is killed with -9 nothing is passed on any more, and a proxy that lives on
// unseen would keep its port. So the program looks whether its launcher is still its parent.

/** Set by bin/launch.mjs to the launcher's process id. */
const LAUNCHER_VARIABLE = "CODIS_LAUNCHER_PID";
const WATCH_PERIOD_MS = 500;

/**
 * Ends this process as SIGTERM would, once the launcher is gone. Without a launcher, or when it
 * has replaced itself with this process, nothing is watched. Removes the variable from the
 * environment, so that neither settings nor children see it.
 */
export function watchLauncher(): void {
  const launcher = Number(process.env[LAUNCHER_VARIABLE]);
  delete process.env[LAUNCHER_VARIABLE];
  if (!Number.isInteger(launcher) || launcher === process.pid) return;
  const timer = setInterval(() => {
    if (process.ppid === launcher) return;
    clearInterval(timer);
    process.kill(process.pid, "SIGTERM");
  }, WATCH_PERIOD_MS);
  timer.unref();
}
