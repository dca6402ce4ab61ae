// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import com.github.luben.zstd.ZstdInputStreamNoFinalizer;
import io.virtcontainers.HostSetupException;
import java.io.IOException;
import java.io.InputStream;

/** The one class that touches the native zstd library, which is loaded only when a kernel or a module needs it. */
final class ZstdStreams {
    /** A frame says how much history the decoder must keep: at most 128 MiB. */
    private static final int MAX_WINDOW_LOG = 27;

    private ZstdStreams() {}

    static InputStream open(InputStream in) throws IOException {
        try {
            return new ZstdInputStreamNoFinalizer(in).setLongMax(MAX_WINDOW_LOG);
        } catch (LinkageError e) {
            throw new HostSetupException(
                    "zstd's native library does not load on this host (" + e + "): its temporary directory must allow"
                            + " programs, or use a kernel that is not packed with zstd",
                    e);
        }
    }
}
