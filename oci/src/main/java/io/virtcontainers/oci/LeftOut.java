// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Takes fields away from a configuration, and says in one line of the log which of them said something. */
final class LeftOut {
    private static final Logger log = LoggerFactory.getLogger(LeftOut.class);
    private static final int LOGGED = 20;

    private final List<String> paths = new ArrayList<>();

    /** @param path of the object, {@code linux.resources} */
    void remove(ObjectNode object, String path, String... names) {
        for (String name : names) {
            @Nullable JsonNode value = object.remove(name);
            if (value != null && !isEmpty(value)) {
                paths.add(path + '.' + name);
            }
        }
    }

    /** A field that is not taken over. */
    void note(String path, Optional<?> value) {
        if (value.isPresent()) {
            paths.add(path);
        }
    }

    private static boolean isEmpty(JsonNode value) {
        return value.isNull()
                || (value.isContainerNode() && value.isEmpty())
                || (value.isTextual() && value.textValue().isEmpty())
                || (value.isBoolean() && !value.booleanValue());
    }

    void log() {
        if (!paths.isEmpty()) {
            log.info(
                    "parts of a configuration have no meaning in the guest, left out count={} paths={}",
                    paths.size(),
                    paths.subList(0, Math.min(paths.size(), LOGGED)));
        }
    }
}
