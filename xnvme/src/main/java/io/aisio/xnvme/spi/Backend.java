package io.aisio.xnvme.spi;

import io.aisio.xnvme.Device;
import io.aisio.xnvme.DeviceUri;
import java.io.IOException;

/** Opens the devices of one scheme. Found by {@link java.util.ServiceLoader}. */
public interface Backend {
    /** The scheme that it serves, as {@link DeviceUri#scheme()} has it. */
    String scheme();

    /**
     * Refuses a name that makes no sense, as far as that is told without looking at any device: {@link #open} refuses it too.
     *
     * @throws IllegalArgumentException one sentence for the person who typed it
     */
    default void check(DeviceUri uri) {}

    /**
     * Opens a device.
     *
     * @throws IllegalArgumentException if the target or an option makes no sense to this backend; the message is one
     *     sentence for the person who typed it
     * @throws IOException if the device cannot be opened
     */
    Device open(DeviceUri uri) throws IOException;
}
