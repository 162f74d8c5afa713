/**
 * Sets a variable that a native library of this process reads for itself, unless the user has set it. It has to happen in the
 * main thread, before the library is loaded: worker threads have copies that native code does not see.
 */
export function setNativeVariable(name: string, value: string): void {
  process.env[name] ??= value;
}
