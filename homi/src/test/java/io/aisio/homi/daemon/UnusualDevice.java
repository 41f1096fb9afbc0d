package io.aisio.homi.daemon;

import io.aisio.emu.EmuController;
import io.aisio.emu.EmuUri;
import io.aisio.nvme.spec.Registers;
import io.aisio.upcie.Bar;
import io.aisio.upcie.DmaDomain;
import io.aisio.upcie.PciFunction;
import io.aisio.xnvme.Device;
import io.aisio.xnvme.DeviceUri;
import io.aisio.xnvme.spi.NvmeDevice;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;

/** The software controller, doing what few devices do, from when a test says so on. */
final class UnusualDevice implements ServedDevice.Opener {
    /** Whether clients are kept apart. */
    volatile boolean isProtected = true;
    /** Whether a domain fails to close, once it is closed. */
    volatile boolean failsToClose;
    /** Whether the controller reports a fatal error, and cannot be disabled. */
    volatile boolean isStubborn;

    @Override
    public Device open(String text) throws IOException {
        DeviceUri uri = DeviceUri.parse(text);
        EmuController controller = EmuController.open(text, EmuUri.parse(uri).configuration());
        controller.start();
        return NvmeDevice.open(function(controller.function()), 1, text, "unusual software controller");
    }

    private interface Otherwise {
        Object answer(String method, Object[] arguments, Object usual) throws IOException;
    }

    private static <T> T over(Class<T> type, T usual, Otherwise otherwise) {
        Class<?>[] types = usual.getClass().getInterfaces();
        Object made = Proxy.newProxyInstance(
                type.getClassLoader(),
                types.length == 0 ? new Class<?>[] {type} : types,
                (proxy, method, arguments) -> {
                    Object answer;
                    try {
                        answer = method.invoke(usual, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                    return otherwise.answer(method.getName(), arguments, answer);
                });
        return type.cast(made);
    }

    private PciFunction function(PciFunction usual) {
        return over(PciFunction.class, usual, (method, arguments, answer) -> switch (method) {
            case "bar" -> over(Bar.class, (Bar) answer, this::register);
            case "openDomain" -> over(DmaDomain.class, (DmaDomain) answer, this::domain);
            case "stopDma" -> {
                if (isStubborn) {
                    throw new IOException("it cannot be cut off memory");
                }
                yield answer;
            }
            default -> answer;
        });
    }

    private Object register(String method, Object[] arguments, Object usual) {
        if (method.equals("read32") && (long) arguments[0] == Registers.CSTS && isStubborn) {
            return (int) usual | Registers.CSTS_RDY | Registers.CSTS_CFS;
        }
        return usual;
    }

    private Object domain(String method, Object[] arguments, Object usual) {
        if (method.equals("isProtected")) {
            return isProtected;
        }
        if (method.equals("close") && failsToClose) {
            throw new IllegalStateException("the domain does not close");
        }
        return usual;
    }
}
