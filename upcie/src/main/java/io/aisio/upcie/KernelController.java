package io.aisio.upcie;

import io.aisio.linux.Sysfs;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An NVMe controller as the kernel's own driver shows it, while it is bound to a function.
 *
 * @param name such as {@code nvme0}
 * @param model as the controller tells, without blanks at its end
 * @param serial likewise
 * @param state such as {@code live}
 */
public record KernelController(String name, String model, String serial, String state) {
    /**
     * The controllers of a function: one, or none if another driver is bound.
     *
     * @throws IOException if sysfs cannot be read
     */
    public static List<KernelController> of(PciBus bus, PciAddress function) throws IOException {
        List<KernelController> controllers = new ArrayList<>();
        for (Path folder : Sysfs.list(bus.folder(function).resolve("nvme"))) {
            controllers.add(new KernelController(
                    String.valueOf(folder.getFileName()),
                    orEmpty(Sysfs.text(folder.resolve("model"))),
                    orEmpty(Sysfs.text(folder.resolve("serial"))),
                    orEmpty(Sysfs.text(folder.resolve("state")))));
        }
        return List.copyOf(controllers);
    }

    private static String orEmpty(@Nullable String text) {
        return text == null ? "" : text;
    }
}
