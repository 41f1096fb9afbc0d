/**
 * What a way to read whole files provides, so that data sets go over it: a {@link io.aisio.fil.spi.Backend}, found by its
 * name, opens places ({@link io.aisio.fil.spi.FileSource}), which list their files into a
 * {@link io.aisio.fil.spi.FileTable} and read them, batch by batch, into memory of their own
 * ({@link io.aisio.fil.spi.BatchReads}). What is above, order, shards, epochs and batches, is the same for all.
 */
@NullMarked
package io.aisio.fil.spi;

import org.jspecify.annotations.NullMarked;
