// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

/** How much of a server one connection takes up, and may take up. Not thread-safe. */
final class ServerLoad {
    private static final long MOST_BYTES = 16L * Frame.MOST_DATA;

    private final int mostRequests;
    private int requests;
    private long bytes;

    ServerLoad(int mostRequests) {
        this.mostRequests = mostRequests;
    }

    int requests() {
        return requests;
    }

    /** @throws TtrpcException {@link StatusCode#RESOURCE_EXHAUSTED} if one more message of this size is too much */
    void check(int size) {
        if (requests >= mostRequests) {
            throw new TtrpcException(
                    StatusCode.RESOURCE_EXHAUSTED,
                    requests + " requests of this connection are being served, which is the limit");
        }
        if (bytes + size > MOST_BYTES) {
            throw new TtrpcException(
                    StatusCode.RESOURCE_EXHAUSTED,
                    "the requests of this connection that are being served have " + bytes + " bytes, and may have "
                            + MOST_BYTES);
        }
    }

    void add(int size) {
        requests++;
        bytes += size;
    }

    void remove(int size) {
        requests--;
        bytes -= size;
    }
}
