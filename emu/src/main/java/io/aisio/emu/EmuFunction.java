package io.aisio.emu;

import io.aisio.upcie.Bar;
import io.aisio.upcie.DmaMemory;
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

    @Override
    public void close() {
        controller.close();
    }
}
