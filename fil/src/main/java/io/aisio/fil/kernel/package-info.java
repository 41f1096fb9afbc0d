/**
 * Whole files of a mounted file system, read by its kernel: one after another by {@code pread}, or many at once by io_uring.
 */
@NullMarked
package io.aisio.fil.kernel;

import org.jspecify.annotations.NullMarked;
