// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import com.google.protobuf.ByteString;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What is asked of a server. Immutable.
 *
 * @param service the full name, with its package: {@code containerd.task.v2.Task}
 * @param payload the encoded message that the method takes
 * @param metadata values by key, in the order in which they were sent; containerd sends its namespace so
 */
public record TtrpcRequest(String service, String method, ByteString payload, Map<String, List<String>> metadata) {
    public TtrpcRequest {
        Map<String, List<String>> copy = new LinkedHashMap<>();
        metadata.forEach((key, values) -> copy.put(key, List.copyOf(values)));
        metadata = Collections.unmodifiableMap(copy);
    }

    public TtrpcRequest(String service, String method, ByteString payload) {
        this(service, method, payload, Map.of());
    }

    /** Service and method, for messages. */
    String name() {
        return service + "/" + method;
    }
}
