package io.aisio.homi.daemon;

import io.aisio.linux.OpenFile;
import io.aisio.nvme.KernelPassthrough;
import io.aisio.nvme.NvmeException;
import io.aisio.nvme.Virtualization;
import io.aisio.upcie.BoundBefore;
import io.aisio.upcie.DriverBinding;
import io.aisio.upcie.KernelController;
import io.aisio.upcie.LentFunction;
import io.aisio.upcie.PciAddress;
import io.aisio.upcie.PciBus;
import io.aisio.upcie.VirtualFunctions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Virtual functions on the bus (SR-IOV), bound to vfio-pci, of a controller that the kernel's driver has. */
final class VirtualFunctionPool implements FunctionPool {
    private static final String VFIO = "vfio-pci";

    private final FunctionLeases.Offer offer;
    private final VirtualFunctions functions;
    private final List<PciAddress> addresses;
    private final KernelPassthrough admin;
    private final Virtualization virtualization;

    /**
     * Makes them, or takes those of a daemon before this one over.
     *
     * @throws IOException if the controller is not there or has none, or the kernel refuses; the message says the next step
     */
    VirtualFunctionPool(FunctionLeases.Offer offer) throws IOException {
        this.offer = offer;
        PciBus bus = new PciBus();
        List<KernelController> kernels = KernelController.of(bus, offer.physical());
        if (kernels.isEmpty()) {
            throw new IOException(offer.physical() + ": virtual functions are leased of a controller that the kernel's"
                    + " driver has; next: ./aisio devbind bind --driver nvme " + offer.physical());
        }
        functions = new VirtualFunctions(bus, offer.physical());
        addresses = bus.device(offer.physical()).numVfs() == offer.count()
                ? functions.addresses()
                : functions.enable(offer.count());
        DriverBinding binding = new DriverBinding(bus, new BoundBefore(BoundBefore.FILE));
        for (PciAddress address : addresses) {
            binding.bind(address, VFIO).carryOut();
        }
        admin = KernelPassthrough.open(Path.of("/dev/" + kernels.getFirst().name()));
        virtualization = new Virtualization(offer.physical().toString(), admin);
    }

    @Override
    public FunctionLeases.Offer offer() {
        return offer;
    }

    @Override
    public int total() {
        return addresses.size();
    }

    @Override
    public Given give(int index) throws IOException {
        int controllerId = controllerId(index);
        virtualization.offline(controllerId);
        require("queues", virtualization.assign(controllerId, Virtualization.Resource.QUEUES, offer.queues()));
        require(
                "interrupts",
                virtualization.assign(controllerId, Virtualization.Resource.INTERRUPTS, offer.interrupts()));
        virtualization.online(controllerId);
        try {
            return given(controllerId, LentFunction.open(addresses.get(index)));
        } catch (IOException | RuntimeException e) {
            takeOffline(controllerId, e);
            throw e;
        }
    }

    private Given given(int controllerId, LentFunction function) {
        return new Given() {
            @Override
            public String address() {
                return function.name();
            }

            @Override
            public int spaceId() {
                return function.spaceId();
            }

            @Override
            public List<OpenFile> files() {
                return List.of(function.device(), function.space());
            }

            @Override
            public void takeBack() throws IOException {
                try (function) {
                    virtualization.offline(controllerId);
                }
            }
        };
    }

    /** The secondary controller in a virtual function. */
    private int controllerId(int index) throws IOException {
        for (Virtualization.Secondary secondary : virtualization.secondaries()) {
            if (secondary.virtualFunction() == index + 1) {
                return secondary.controllerId();
            }
        }
        throw new NvmeException(offer.physical() + ": no secondary controller is in virtual function " + (index + 1));
    }

    private void require(String what, int given) throws NvmeException {
        if (given == 0) {
            throw new NvmeException(offer.physical() + ": the controller has no " + what + " left to share out");
        }
    }

    private void takeOffline(int controllerId, Exception why) {
        try {
            virtualization.offline(controllerId);
        } catch (IOException e) {
            why.addSuppressed(e);
        }
    }

    /** Unless a client still has one: the kernel would wait for it. */
    @Override
    public void end() throws IOException {
        try {
            for (PciAddress address : addresses) {
                LentFunction.open(address).close();
            }
            functions.disable();
        } finally {
            admin.close();
        }
    }
}
