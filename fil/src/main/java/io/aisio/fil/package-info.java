/**
 * Whole files and data sets, read through any path.
 *
 * <pre>
 *   Dataset ── files of each place, where they lie ──▶ BatchReader ── BatchReads of each place ──▶ Batch ──▶ the caller
 *                                                      DirectFile ── any bytes of one file ──▶ the caller's Buffer
 * </pre>
 *
 * {@link io.aisio.fil.Dataset} is where to begin; {@link io.aisio.fil.DirectFile} is for single files; {@code aisio:} paths
 * are for everything that knows {@code java.nio.file}. What reads is found by name ({@link io.aisio.fil.spi}).
 */
@NullMarked
package io.aisio.fil;

import org.jspecify.annotations.NullMarked;
