// Loaded into tasks with --import: a task whose parent died has nobody to report to, and ends with all it has started.
if (process.channel) {
  process.once("disconnect", () => {
    if (process.platform === "win32") process.kill(process.pid, "SIGTERM");
    // The task leads a process group of its own, see startNode().
    else process.kill(0, "SIGTERM");
  });
  // Listening must not keep the task alive once its work is done.
  process.channel.unref();
}
