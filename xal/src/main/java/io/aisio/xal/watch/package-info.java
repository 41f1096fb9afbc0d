/**
 * How changes of a mounted file system come to be known.
 *
 * <pre>
 *   inotify, a watch per directory ── Follower ──► names, "this file changed"          ──► Watch.Listener
 * </pre>
 */
@NullMarked
package io.aisio.xal.watch;

import org.jspecify.annotations.NullMarked;
