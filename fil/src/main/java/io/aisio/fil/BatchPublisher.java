package io.aisio.fil;

import java.util.concurrent.Flow;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** Batches to one subscriber, as fast as it asks for them, on a thread of its own ({@link Flow}). */
final class BatchPublisher implements Flow.Publisher<Batch> {
    private final BatchReader reader;
    private @Nullable Delivery delivery;

    BatchPublisher(BatchReader reader) {
        this.reader = reader;
    }

    @Override
    public synchronized void subscribe(Flow.Subscriber<? super Batch> subscriber) {
        if (delivery != null) {
            subscriber.onSubscribe(new Refused());
            subscriber.onError(new IllegalStateException("a reader of batches has one subscriber"));
            return;
        }
        Delivery begun = new Delivery(subscriber);
        delivery = begun;
        subscriber.onSubscribe(begun);
        Thread.ofVirtual().name("aisio-batches-subscriber").start(begun);
    }

    /** Tells a subscriber that waits for nothing that the reader is closed. */
    synchronized void close() {
        if (delivery != null) {
            delivery.fail(new IllegalStateException("the reader of batches is closed"));
        }
    }

    /** The subscription of who has none. */
    private static final class Refused implements Flow.Subscription {
        @Override
        public void request(long n) {}

        @Override
        public void cancel() {}
    }

    private final class Delivery implements Flow.Subscription, Runnable {
        private final Flow.Subscriber<? super Batch> subscriber;
        private final ReentrantLock lock = new ReentrantLock();
        private final Condition changed = lock.newCondition();
        // Guarded by the lock.
        private long demand;
        private boolean cancelled;
        /** What ends the delivery. */
        private @Nullable Throwable misuse;

        Delivery(Flow.Subscriber<? super Batch> subscriber) {
            this.subscriber = subscriber;
        }

        @Override
        public void request(long n) {
            lock.lock();
            try {
                if (n < 1) {
                    misuse = new IllegalArgumentException(n + " batches asked for; 1 at least (Flow.Subscription)");
                } else {
                    demand = demand + n < 0 ? Long.MAX_VALUE : demand + n;
                }
                changed.signalAll();
            } finally {
                lock.unlock();
            }
        }

        void fail(Throwable why) {
            lock.lock();
            try {
                misuse = misuse == null ? why : misuse;
                changed.signalAll();
            } finally {
                lock.unlock();
            }
        }

        @Override
        public void cancel() {
            lock.lock();
            try {
                cancelled = true;
                changed.signalAll();
            } finally {
                lock.unlock();
            }
        }

        @Override
        public void run() {
            try {
                while (awaitDemand()) {
                    Batch batch = reader.next();
                    if (batch == null) {
                        subscriber.onComplete();
                        return;
                    }
                    if (isCancelled()) {
                        batch.close();
                        return;
                    }
                    deliver(batch);
                }
            } catch (Throwable e) {
                subscriber.onError(e);
            }
        }

        private boolean isCancelled() {
            lock.lock();
            try {
                return cancelled;
            } finally {
                lock.unlock();
            }
        }

        private void deliver(Batch batch) {
            try {
                subscriber.onNext(batch);
            } catch (RuntimeException | Error e) {
                batch.close();
                throw e;
            }
        }

        /** Whether another batch is asked for; false if none will be. */
        private boolean awaitDemand() throws Throwable {
            lock.lock();
            try {
                while (true) {
                    if (cancelled) {
                        return false;
                    }
                    if (misuse != null) {
                        throw misuse;
                    }
                    if (demand > 0) {
                        demand--;
                        return true;
                    }
                    changed.await();
                }
            } finally {
                lock.unlock();
            }
        }
    }
}
