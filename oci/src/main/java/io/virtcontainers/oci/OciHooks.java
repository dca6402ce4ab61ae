// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import java.time.Duration;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The hooks of a container (runtime-spec, config.md, {@code hooks}); {@link HookRunner} runs them.
 *
 * @param byKind the hooks of each kind in the order in which they run
 */
public record OciHooks(Map<HookKind, List<Hook>> byKind) {
    public OciHooks {
        Map<HookKind, List<Hook>> copy = new EnumMap<>(HookKind.class);
        copy.putAll(byKind);
        byKind = Collections.unmodifiableMap(copy);
    }

    /**
     * A program to run.
     *
     * @param path the program, absolute
     * @param args its whole argv, so the first is its name; empty: only its path
     * @param env its whole environment
     * @param timeout after which it is killed
     */
    public record Hook(String path, List<String> args, List<String> env, Optional<Duration> timeout) {
        static Hook of(JsonObject json) {
            String path = json.requiredText("path");
            if (!path.startsWith("/")) {
                throw json.error("path", JsonObject.shown(path) + " must be absolute");
            }
            OptionalLong timeout = json.number("timeout", 1, Integer.MAX_VALUE);
            return new Hook(
                    path,
                    json.texts("args"),
                    json.texts("env"),
                    timeout.isPresent() ? Optional.of(Duration.ofSeconds(timeout.getAsLong())) : Optional.empty());
        }
    }

    static OciHooks of(JsonObject json) {
        Map<HookKind, List<Hook>> hooks = new EnumMap<>(HookKind.class);
        for (HookKind kind : HookKind.values()) {
            hooks.put(kind, json.objects(kind.toString(), Hook::of));
        }
        return new OciHooks(hooks);
    }

    public List<Hook> of(HookKind kind) {
        return byKind.getOrDefault(kind, List.of());
    }

    /**
     * The kinds that have hooks which only the guest could run. There is no way to tell it to: an engine that must not
     * ignore them refuses the container before it starts anything.
     */
    public List<HookKind> forGuest() {
        return byKind.keySet().stream()
                .filter(kind -> kind.inGuest() && !of(kind).isEmpty())
                .toList();
    }
}
