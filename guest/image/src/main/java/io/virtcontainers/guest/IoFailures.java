// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.HostSetupException;
import io.virtcontainers.VirtException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;

/** Gives an {@link IOException} the type and the words of this library's errors. */
final class IoFailures {
    private IoFailures() {}

    /** @param action what failed, after "cannot": {@code write the guest image cache /var/cache/x} */
    static VirtException toVirtException(String action, IOException e) {
        if (e instanceof ClosedByInterruptException || e instanceof InterruptedIOException) {
            return Waits.cancelled("the end of: " + action);
        }
        String detail = describe(e);
        if (isDiskFull(e)) {
            return new HostSetupException(
                    "cannot " + action + ": " + detail + "; free some space or choose another cache directory", e);
        }
        if (e instanceof AccessDeniedException) {
            return new HostSetupException("cannot " + action + ": " + detail + "; give this user the right to it", e);
        }
        return new VirtException("cannot " + action + ": " + detail, e);
    }

    static boolean isDiskFull(IOException e) {
        String message = String.valueOf(e.getMessage());
        return message.contains("No space left on device") || message.contains("Disk quota exceeded");
    }

    /** The JDK's file exceptions often have a bare path as their message: name what happened as well. */
    private static String describe(IOException e) {
        if (e instanceof AccessDeniedException denied) {
            return "permission denied: " + denied.getFile();
        }
        if (e instanceof FileSystemException file && file.getReason() == null) {
            return e.getClass().getSimpleName().replace("Exception", "") + ": " + file.getFile();
        }
        return String.valueOf(e.getMessage() == null ? e : e.getMessage());
    }
}
