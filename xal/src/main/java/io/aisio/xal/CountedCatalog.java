package io.aisio.xal;

import io.aisio.xal.backend.Catalog;
import io.aisio.xal.backend.InodeBatch;
import io.aisio.xal.backend.NameBatch;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;

/** A catalog that tells how many inodes it was given so far. Any thread may call it, and the consumer is called on any. */
final class CountedCatalog implements Catalog {
    private final Catalog catalog;
    private final LongConsumer progress;
    private final AtomicLong inodes = new AtomicLong();

    CountedCatalog(Catalog catalog, LongConsumer progress) {
        this.catalog = catalog;
        this.progress = progress;
    }

    @Override
    public void inodes(InodeBatch batch) {
        catalog.inodes(batch);
        progress.accept(inodes.addAndGet(batch.inodes()));
    }

    @Override
    public void names(long directory, NameBatch batch) {
        catalog.names(directory, batch);
    }

    @Override
    public boolean knows(long number, int generation, long stamp) {
        return catalog.knows(number, generation, stamp);
    }

    @Override
    public void keep(long number) {
        catalog.keep(number);
    }

    @Override
    public void damaged(IOException problem) {
        catalog.damaged(problem);
    }
}
