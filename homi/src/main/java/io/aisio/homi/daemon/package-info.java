/**
 * The daemon: it owns controllers, leases their queue pairs to whoever connects to its socket, and takes them back, in
 * order, whatever becomes of him.
 */
@NullMarked
package io.aisio.homi.daemon;

import org.jspecify.annotations.NullMarked;
