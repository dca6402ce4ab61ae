// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** Configurations as engines write them, and small ones. */
final class TestSpecs {
    static final ObjectMapper JSON = new ObjectMapper();

    private TestSpecs() {}

    /** With every field that there is, and unknown ones on every level. */
    static String full() {
        return resource("full.json");
    }

    static String resource(String name) {
        try (InputStream in = TestSpecs.class.getResourceAsStream(name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A minimal configuration with single quotes for double ones, and {@code more} top-level fields. */
    static String minimal(String more) {
        return ("{'ociVersion': '1.0.2', 'process': {'args': ['true'], 'cwd': '/'}, 'root': {'path': 'rootfs'}"
                        + (more.isEmpty() ? "" : ", " + more) + "}")
                .replace('\'', '"');
    }

    static OciSpec spec(String more) {
        return OciSpec.parse(minimal(more));
    }

    static OciSpec linux(String fields) {
        return spec("'linux': {" + fields + "}");
    }

    static ObjectNode tree(String json) {
        try {
            return (ObjectNode) JSON.readTree(json);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A part of a document: {@code /linux/resources}. */
    static JsonNode at(String json, String pointer) {
        return tree(json).at(pointer);
    }
}
