// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import com.fasterxml.jackson.databind.JsonNode;
import com.google.common.collect.ImmutableSortedMap;
import io.virtcontainers.UnsupportedException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The fields of one specification for which the agent's protocol has none. Without some of them the container would be
 * another one, or a weaker one: these are refused, unless they say what is so anyway. The others only tune, or are meant for
 * other systems: these are left out and logged, once for a specification. docs/oci.md has the whole list.
 */
final class LackingFields {
    private static final Logger log = LoggerFactory.getLogger(LackingFields.class);

    private static final int USUAL_UMASK = 0022; // crun's and runc's
    private static final int LOGGED = 20;

    /** By path, without the numbers of entries: whether a value cannot be done without. Case does not count, as in Go. */
    private static final Map<String, Predicate<JsonNode>> REFUSED =
            ImmutableSortedMap.<String, Predicate<JsonNode>>orderedBy(Comparator.comparing(String::toLowerCase))
                    .put("$.domainname", value -> true)
                    .put("$.mounts[].uidMappings", value -> true)
                    .put("$.mounts[].gidMappings", value -> true)
                    .put("$.process.scheduler", value -> true)
                    .put("$.process.user.umask", value -> value.asInt(-1) != USUAL_UMASK)
                    .put(
                            "$.linux.personality",
                            value -> !value.path("domain").asText().equals("LINUX"))
                    .put("$.linux.resources.unified", LackingFields::limits)
                    .put("$.linux.seccomp.listenerPath", value -> true)
                    .put("$.linux.timeOffsets", value -> true)
                    .build();

    private final List<String> leftOut = new ArrayList<>();

    /** Kubernetes protects and tunes with files of version 2; that a limit is not kept is another thing. */
    private static boolean limits(JsonNode unified) {
        return unified.properties().stream().anyMatch(file -> file.getKey().endsWith(".max"));
    }

    /** @throws UnsupportedException if the container would not be what the specification says */
    void add(String path, JsonNode value) {
        if (isEmpty(value)) {
            return;
        }
        Predicate<JsonNode> needed = REFUSED.get(path.replaceAll("\\[\\d+]", "[]"));
        if (needed != null && needed.test(value)) {
            throw new UnsupportedException("the container's specification, " + path + " " + SpecJson.shown(value)
                    + ": the agent's protocol (Kata 1.x) has no such field, and without it the container would not be"
                    + " what was asked for: remove it (docs/oci.md has what works)");
        }
        leftOut.add(path);
    }

    /** As Go leaves them out. */
    private static boolean isEmpty(JsonNode value) {
        return value.isNull()
                || (value.isContainerNode() && value.isEmpty())
                || (value.isTextual() && value.textValue().isEmpty())
                || (value.isBoolean() && !value.booleanValue());
    }

    void log() {
        if (!leftOut.isEmpty()) {
            log.info(
                    "the agent's protocol has no field for parts of a specification, left out count={} paths={}",
                    leftOut.size(),
                    leftOut.subList(0, Math.min(leftOut.size(), LOGGED)));
        }
    }
}
