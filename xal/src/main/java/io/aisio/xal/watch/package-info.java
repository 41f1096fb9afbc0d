/**
 * How changes of a mounted file system come to be known.
 *
 * <pre>
 *   inotify, a watch per directory ──────────── Follower ──► names, "this file changed" ─┐
 *                                                                                        ├─► Watch.Listener
 *   XFS's tracepoints ─► ExtentProgram ─► ring ─ XfsTracepoints ─► "this part lies here" ─┘
 *   ─ ─ ─ ─ in the kernel ─ ─ ─ ─ ─ ─ ─ ─ ─ ─│─ ─ one thread ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─
 *
 *   Watch.Listener: Following ── Replica, looks at what is there now (MountedTree) ──► IndexWriter
 * </pre>
 *
 * XFS keeps the extents of each file that is in use in a tree in memory, and has tracepoints where an extent enters it,
 * leaves it or becomes another one. A program of some fifty eBPF instructions, put together here with the places that
 * the running kernel's own types ({@link io.aisio.xal.watch.Btf}) tell, runs at each of them and writes the two words of
 * the extent ({@link io.aisio.xal.watch.ExtentRecord}) into a ring that is read here as memory.
 */
@NullMarked
package io.aisio.xal.watch;

import org.jspecify.annotations.NullMarked;
