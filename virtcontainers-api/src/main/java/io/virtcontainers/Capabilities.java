// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * What a process may do of all that root may do: the five sets of capabilities(7), by names such as {@code CAP_KILL} (OCI
 * runtime-spec, {@code process.capabilities}). Who is not root keeps over the start of its program only what is in
 * {@code ambient}; that is the kernel's rule. A name that the guest's kernel does not know gives nothing, as the specification wants it.
 *
 * @param bounding what it and its children can ever have
 * @param effective what is in force
 * @param inheritable what files with inheritable capabilities can give
 * @param permitted what it may put in force
 * @param ambient what programs without capabilities of their own keep; only what is permitted and inheritable too
 */
public record Capabilities(
        List<String> bounding,
        List<String> effective,
        List<String> inheritable,
        List<String> permitted,
        List<String> ambient) {
    private static final Pattern NAME = Pattern.compile("CAP_[A-Z0-9_]{1,60}");

    private static final Capabilities NONE = builder().build();

    private static final Capabilities DEFAULTS = of(
            "CAP_CHOWN",
            "CAP_DAC_OVERRIDE",
            "CAP_FSETID",
            "CAP_FOWNER",
            "CAP_MKNOD",
            "CAP_NET_RAW",
            "CAP_SETGID",
            "CAP_SETUID",
            "CAP_SETFCAP",
            "CAP_SETPCAP",
            "CAP_NET_BIND_SERVICE",
            "CAP_SYS_CHROOT",
            "CAP_KILL",
            "CAP_AUDIT_WRITE");

    public Capabilities {
        bounding = checked(bounding);
        effective = checked(effective);
        inheritable = checked(inheritable);
        permitted = checked(permitted);
        ambient = checked(ambient);
    }

    private static List<String> checked(List<String> names) {
        names.forEach(name -> {
            if (!NAME.matcher(name).matches()) {
                throw new InvalidConfigException(
                        "capability", '"' + name + '"', "must be a name of capabilities(7) such as CAP_KILL");
            }
        });
        return List.copyOf(new LinkedHashSet<>(names));
    }

    /** No rights at all. */
    public static Capabilities none() {
        return NONE;
    }

    /** What root has in a container for which nothing else is said: what Docker gives. */
    public static Capabilities defaults() {
        return DEFAULTS;
    }

    /** These and no others, for root: bounding, effective and permitted. */
    public static Capabilities of(String... names) {
        return builder().grant(names).build();
    }

    public static Builder builder() {
        return new Builder();
    }

    /** To change these. */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.bounding.addAll(bounding);
        builder.effective.addAll(effective);
        builder.inheritable.addAll(inheritable);
        builder.permitted.addAll(permitted);
        builder.ambient.addAll(ambient);
        return builder;
    }

    /**
     * Collects {@link Capabilities}; not thread-safe. For sets that are none of {@link #grant}, {@link #keep} and
     * {@link #drop} there is the record's constructor.
     */
    public static final class Builder {
        private final Set<String> bounding = new LinkedHashSet<>();
        private final Set<String> effective = new LinkedHashSet<>();
        private final Set<String> inheritable = new LinkedHashSet<>();
        private final Set<String> permitted = new LinkedHashSet<>();
        private final Set<String> ambient = new LinkedHashSet<>();

        private Builder() {}

        /** For root: adds them to the bounding, the effective and the permitted set. */
        public Builder grant(String... names) {
            List<String> list = List.of(names);
            bounding.addAll(list);
            effective.addAll(list);
            permitted.addAll(list);
            return this;
        }

        /** For any user: adds them to all five sets, so that they outlive the start of a program. */
        public Builder keep(String... names) {
            grant(names);
            inheritable.addAll(List.of(names));
            ambient.addAll(List.of(names));
            return this;
        }

        /** Removes them from all sets. */
        public Builder drop(String... names) {
            for (Set<String> set : List.of(bounding, effective, inheritable, permitted, ambient)) {
                List.of(names).forEach(set::remove);
            }
            return this;
        }

        public Capabilities build() {
            return new Capabilities(
                    new ArrayList<>(bounding),
                    new ArrayList<>(effective),
                    new ArrayList<>(inheritable),
                    new ArrayList<>(permitted),
                    new ArrayList<>(ambient));
        }
    }
}
