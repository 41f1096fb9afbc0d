package io.aisio.emu;

import io.aisio.linux.Mapping;
import io.aisio.nvme.spec.Registers;
import io.aisio.upcie.Bar;
import io.aisio.upcie.DmaDomain;
import io.aisio.upcie.DmaMemory;
import io.aisio.upcie.DoorbellPages;
import io.aisio.upcie.PciFunction;
import io.aisio.upcie.PeerMemory;
import java.io.IOException;

/** What a driver holds of a software controller. */
final class EmuFunction implements PciFunction {
    private final EmuController controller;
    private final String name;
    private final Bar bar;
    private final IovaSpace space;

    EmuFunction(EmuController controller, String name, Bar bar, IovaSpace space) {
        this.controller = controller;
        this.name = name;
        this.bar = bar;
        this.space = space;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Bar bar(int index) {
        if (index != 0) {
            throw new IllegalArgumentException(name + " has no memory BAR " + index + ", only BAR 0");
        }
        return bar;
    }

    @Override
    public DmaMemory allocate(long bytes) throws IOException {
        return space.allocate(bytes);
    }

    /** Commands move data to and from it by copies that its device makes. Queues cannot be in it. */
    @Override
    public DmaMemory map(PeerMemory memory) throws IOException {
        return space.map(memory);
    }

    /** Memory in files that others map, each domain's apart from the others'. */
    @Override
    public DmaDomain openDomain(boolean readOnly, int nsid) {
        requireShared("memory");
        if (nsid < 1) {
            throw new IllegalArgumentException(name + ": namespace " + nsid + " for a domain");
        }
        if (space.isClosed()) {
            throw new IllegalStateException(name + " is closed");
        }
        return new ProtectionDomain(name, space, readOnly, nsid);
    }

    /** Two pages in a file of their own. */
    @Override
    public DoorbellPages doorbellPages(long tail, long head) throws IOException {
        requireShared("doorbells");
        requirePair(tail, head);
        return new DoorbellPages(
                controller.registers().shareDoorbells(tail),
                0,
                RegisterFile.DOORBELL_PAGES,
                0,
                Mapping.PAGE_SIZE,
                true);
    }

    @Override
    public void takeDoorbellsBack(long tail, long head) throws IOException {
        if (controller.configuration().shared()) {
            requirePair(tail, head);
            controller.registers().unshareDoorbells(tail);
        }
    }

    @Override
    public boolean movesDoorbells() {
        return controller.configuration().shared();
    }

    private void requireShared(String what) {
        if (!controller.configuration().shared()) {
            throw new UnsupportedOperationException(name + ": this controller's " + what
                    + " stay in this process; next: open it with the option shared, as emu:1GiB?shared");
        }
    }

    /** Of an I/O queue pair: the admin queue's doorbells are nobody else's. */
    private void requirePair(long tail, long head) {
        long first = Registers.DOORBELLS + RegisterFile.DOORBELL_PAGES;
        if (tail < first
                || (tail - first) % RegisterFile.DOORBELL_PAGES != 0
                || head != tail + Mapping.PAGE_SIZE
                || tail > bar.size() - RegisterFile.DOORBELL_PAGES) {
            throw new IllegalArgumentException(
                    "%s: BAR 0 has no I/O queue pair's doorbells at 0x%x and 0x%x".formatted(name, tail, head));
        }
    }

    @Override
    public void close() {
        controller.close();
    }
}
