// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import com.kenai.jffi.CallContext;
import com.kenai.jffi.CallingConvention;
import com.kenai.jffi.Invoker;
import com.kenai.jffi.LastError;
import com.kenai.jffi.Library;
import com.kenai.jffi.MemoryIO;
import com.kenai.jffi.Type;
import java.nio.charset.Charset;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.IntStream;

/**
 * Calls of the C library, by jffi and not by jnr-ffi above it, whose generation of code takes 100 ms of CPU. Loading takes
 * some 60 ms as it is. The constants in this package are those of Linux on x86-64 and aarch64, where they are the same.
 */
final class Native {
    /** How the JDK passes file names to the C library. */
    static final Charset CHARSET = Charset.forName(System.getProperty("sun.jnu.encoding", "UTF-8"));

    static final MemoryIO MEMORY = MemoryIO.getInstance();

    static final int EPERM = 1;
    static final int ESRCH = 3;
    static final int EINTR = 4;
    static final int ENOSYS = 38;

    private static final int MAX_ARGUMENTS = 6;
    private static final int MAX_MESSAGE_BYTES = 200;
    private static final Invoker INVOKER = Invoker.getInstance();
    private static final CallContext[] CONTEXTS =
            IntStream.rangeClosed(0, MAX_ARGUMENTS).mapToObj(Native::context).toArray(CallContext[]::new);
    private static final Map<String, Long> ADDRESSES = new ConcurrentHashMap<>();

    private Native() {}

    private static CallContext context(int arguments) {
        Type[] types = new Type[arguments];
        Arrays.fill(types, Type.SINT64);
        return CallContext.getCallContext(Type.SINT64, types, CallingConvention.DEFAULT, true);
    }

    /**
     * Calls a function that takes up to six integers or addresses. One that returns an int leaves the upper half of the
     * result undefined: cast it.
     *
     * @throws LinuxException if the C library has no such function
     */
    static long call(String function, long... a) {
        long address = ADDRESSES.computeIfAbsent(function, Native::address);
        CallContext context = CONTEXTS[a.length];
        return switch (a.length) {
            case 0 -> INVOKER.invokeN0(context, address);
            case 1 -> INVOKER.invokeN1(context, address, a[0]);
            case 2 -> INVOKER.invokeN2(context, address, a[0], a[1]);
            case 3 -> INVOKER.invokeN3(context, address, a[0], a[1], a[2]);
            case 4 -> INVOKER.invokeN4(context, address, a[0], a[1], a[2], a[3]);
            case 5 -> INVOKER.invokeN5(context, address, a[0], a[1], a[2], a[3], a[4]);
            default -> INVOKER.invokeN6(context, address, a[0], a[1], a[2], a[3], a[4], a[5]);
        };
    }

    private static long address(String function) {
        // The C library is loaded already, by the JVM.
        long address = Library.getDefault().getSymbolAddress(function);
        if (address == 0) {
            throw new LinuxException("the C library has no function " + function + "; glibc 2.34 or newer is needed");
        }
        return address;
    }

    /** The error of this thread's last call. */
    static int errno() {
        return LastError.getInstance().get();
    }

    /** What went wrong in a call, in words: {@code pidfd_open: No such process}. */
    static String problem(String call, int errno) {
        byte[] message = MEMORY.getZeroTerminatedByteArray(call("strerror", errno), MAX_MESSAGE_BYTES);
        return call + ": " + new String(message, CHARSET);
    }
}
