/**
 * Linux as Java sees it: files, mappings, processors.
 *
 * <pre>
 *   OpenFile   Beneath   Mapping   CpuSet      what the rooms above use
 *        \        |        |       /
 *         ------ Libc ------------              the one class that knows libc's symbols
 * </pre>
 *
 * Nothing here decides anything: a call that fails throws {@link io.aisio.linux.LinuxException} with the call, the
 * errno by name and what it was tried on.
 */
@NullMarked
package io.aisio.linux;

import org.jspecify.annotations.NullMarked;
