package io.aisio.fil;

import io.aisio.xnvme.Device;
import io.aisio.xnvme.Queue;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;

/** Devices whose queues tell nothing. */
public final class SilentDevice {
    private SilentDevice() {}

    /** A device whose queues tell of nothing, as one that was taken away. */
    public static Device of(Device device) {
        return (Device) Proxy.newProxyInstance(
                Device.class.getClassLoader(), new Class<?>[] {Device.class}, (proxy, method, arguments) -> {
                    Object result = called(device, method, arguments);
                    return !(result instanceof Queue queue)
                            ? result
                            : Proxy.newProxyInstance(
                                    Queue.class.getClassLoader(), new Class<?>[] {Queue.class}, (p, m, a) -> {
                                        if (m.getName().equals("await")) {
                                            throw new IOException("taken away");
                                        }
                                        if (m.getName().equals("poll")) {
                                            throw new UncheckedIOException(new IOException("taken away"));
                                        }
                                        return called(queue, m, a);
                                    });
                });
    }

    static Object called(Object on, Method method, Object[] arguments) throws Throwable {
        try {
            return method.invoke(on, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }
}
