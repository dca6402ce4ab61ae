// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.virtcontainers.State;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;

/**
 * The state of a container (runtime-spec, runtime.md), for the command {@code state} and for hooks.
 *
 * @param ociVersion the version of the specification that the container's configuration names
 * @param id the container's id
 * @param status where it is in its life
 * @param pid the process of the host that stands for it, 1 or more; required while it is created or running
 * @param bundle the absolute path of its bundle
 * @param annotations those of its configuration
 */
public record OciState(
        String ociVersion, String id, Status status, OptionalLong pid, String bundle, Map<String, String> annotations) {

    public OciState {
        annotations = Collections.unmodifiableMap(new LinkedHashMap<>(annotations));
    }

    /** The words of the specification, and {@code paused}, which it leaves to runtimes. */
    public enum Status {
        CREATING,
        CREATED,
        RUNNING,
        PAUSED,
        STOPPED;

        /** What the specification calls a state of this library. */
        public static Status of(State state) {
            return switch (state) {
                case READY -> CREATED;
                case RUNNING -> RUNNING;
                case PAUSED -> PAUSED;
                case STOPPED -> STOPPED;
            };
        }

        /** The word in the document, for example {@code created}. */
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * Reads a state; fields that it does not know are ignored.
     *
     * @throws io.virtcontainers.InvalidConfigException naming the field, if it is wrong
     */
    public static OciState parse(String json) {
        JsonObject fields = new JsonObject(JsonDocument.parse(json), "");
        String status = fields.word("status", "creating", "created", "running", "paused", "stopped");
        return new OciState(
                fields.requiredText("ociVersion"),
                fields.requiredText("id"),
                Status.valueOf(status.toUpperCase(Locale.ROOT)),
                fields.number("pid", 1, Integer.MAX_VALUE),
                fields.requiredText("bundle"),
                fields.textMap("annotations"));
    }

    /** The document, indented by two blanks, without a line break at the end. */
    public String toJson() {
        ObjectNode json = JsonNodeFactory.instance
                .objectNode()
                .put("ociVersion", ociVersion)
                .put("id", id)
                .put("status", status.toString());
        pid.ifPresent(number -> json.put("pid", number));
        json.put("bundle", bundle);
        if (!annotations.isEmpty()) {
            annotations.forEach(json.putObject("annotations")::put);
        }
        return JsonDocument.indented(json);
    }
}
