/**
 * Where a file's bytes lie on its device.
 *
 * @see io.aisio.xal.BlockSource
 */
@NullMarked
package io.aisio.xal;

import org.jspecify.annotations.NullMarked;
