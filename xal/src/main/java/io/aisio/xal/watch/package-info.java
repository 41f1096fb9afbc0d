/**
 * How changes of a mounted file system come to be known.
 *
 * <pre>
 *   inotify, a watch per directory ── Follower ──► names, "this file changed"          ──► Watch.Listener
 *
 *   Watch.Listener: Following ── Replica, looks at what is there now (MountedTree) ──► IndexWriter
 * </pre>
 */
@NullMarked
package io.aisio.xal.watch;

import org.jspecify.annotations.NullMarked;
