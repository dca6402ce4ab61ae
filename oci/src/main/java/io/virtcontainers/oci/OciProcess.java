// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import static io.virtcontainers.oci.JsonObject.UINT16;
import static io.virtcontainers.oci.JsonObject.UINT32;

import io.virtcontainers.GuestPath;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.TerminalSize;
import io.virtcontainers.UnsupportedException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A process (runtime-spec, config.md, {@code process}).
 *
 * @param terminal whether it gets a terminal
 * @param consoleSize the terminal's size
 * @param user whom it runs as
 * @param args the program and its arguments, at least the program
 * @param env its environment as {@code NAME=value}
 * @param cwd its working directory, absolute and without {@code ..}
 * @param capabilities its capabilities; empty: none are named
 * @param rlimits its limits (getrlimit(2))
 * @param noNewPrivileges whether programs cannot gain rights when executed
 * @param apparmorProfile the name of its AppArmor profile
 * @param oomScoreAdj the adjustment of its badness when memory runs out, -1000 to 1000 (proc(5))
 * @param scheduler its scheduling (sched_setattr(2))
 * @param selinuxLabel its SELinux context
 * @param ioPriority its I/O priority (ioprio_set(2))
 */
public record OciProcess(
        boolean terminal,
        Optional<ConsoleSize> consoleSize,
        User user,
        List<String> args,
        List<String> env,
        String cwd,
        Optional<Capabilities> capabilities,
        List<Rlimit> rlimits,
        boolean noNewPrivileges,
        Optional<String> apparmorProfile,
        OptionalLong oomScoreAdj,
        Optional<Scheduler> scheduler,
        Optional<String> selinuxLabel,
        Optional<IoPriority> ioPriority) {
    private static final TerminalSize DEFAULT_SIZE = new TerminalSize(24, 80);
    private static final long USUAL_UMASK = 0022; // of runtimes, and of agents of Kata 1.x, who know no other
    private static final long MAX_ID = 0xffff_fffeL; // the last uint32 means "no change" to setresuid(2)

    /** In characters; zero: not known. */
    public record ConsoleSize(int height, int width) {
        static ConsoleSize of(JsonObject json) {
            return new ConsoleSize(
                    (int) json.requiredNumber("height", 0, UINT16), (int) json.requiredNumber("width", 0, UINT16));
        }
    }

    /** Numbers in the container's user namespace; the umask is empty for the runtime's choice. */
    public record User(long uid, long gid, OptionalLong umask, List<Long> additionalGids) {
        static User of(JsonObject json) {
            return new User(
                    json.number("uid", 0, MAX_ID).orElse(0),
                    json.number("gid", 0, MAX_ID).orElse(0),
                    json.number("umask", 0, UINT32),
                    json.numbers("additionalGids", 0, MAX_ID));
        }
    }

    /** The sets of capabilities(7), by names such as {@code CAP_CHOWN}. */
    public record Capabilities(
            List<String> bounding,
            List<String> effective,
            List<String> inheritable,
            List<String> permitted,
            List<String> ambient) {
        static Capabilities of(JsonObject json) {
            return new Capabilities(
                    json.texts("bounding"),
                    json.texts("effective"),
                    json.texts("inheritable"),
                    json.texts("permitted"),
                    json.texts("ambient"));
        }

        /** Before runtime-spec 1.0.0-rc5 one list stood for all sets that there were then: not the ambient one. */
        static Capabilities ofList(List<String> list) {
            return new Capabilities(list, list, list, list, List.of());
        }

        private io.virtcontainers.Capabilities toConfig() {
            return new io.virtcontainers.Capabilities(bounding, effective, inheritable, permitted, ambient);
        }
    }

    /**
     * @param type for example {@code RLIMIT_NOFILE}
     * @param hard the ceiling, without a sign
     * @param soft the value in force, without a sign
     */
    public record Rlimit(String type, long hard, long soft) {
        static Rlimit of(JsonObject json) {
            Rlimit limit =
                    new Rlimit(json.requiredText("type"), json.requiredUnsigned("hard"), json.requiredUnsigned("soft"));
            try {
                limit.toConfig();
            } catch (InvalidConfigException e) {
                throw json.error("type", String.valueOf(e.getMessage()));
            }
            return limit;
        }

        private io.virtcontainers.Rlimit toConfig() {
            return new io.virtcontainers.Rlimit(type, soft, hard);
        }
    }

    /** The last three are nanoseconds without a sign, for {@code SCHED_DEADLINE}. */
    public record Scheduler(
            String policy,
            OptionalLong nice,
            OptionalLong priority,
            List<String> flags,
            OptionalLong runtime,
            OptionalLong deadline,
            OptionalLong period) {
        static Scheduler of(JsonObject json) {
            return new Scheduler(
                    json.requiredText("policy"),
                    json.number("nice", Integer.MIN_VALUE, Integer.MAX_VALUE),
                    json.number("priority", Integer.MIN_VALUE, Integer.MAX_VALUE),
                    json.texts("flags"),
                    json.unsigned("runtime"),
                    json.unsigned("deadline"),
                    json.unsigned("period"));
        }
    }

    /** The class is {@code IOPRIO_CLASS_RT}, {@code IOPRIO_CLASS_BE} or {@code IOPRIO_CLASS_IDLE}. */
    public record IoPriority(String ioClass, long priority) {
        static IoPriority of(JsonObject json) {
            return new IoPriority(
                    json.word("class", "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"),
                    json.number("priority", Integer.MIN_VALUE, Integer.MAX_VALUE)
                            .orElse(0));
        }
    }

    /**
     * Reads a process that stands alone, as {@code exec --process} and containerd's Exec give it.
     *
     * @throws io.virtcontainers.InvalidConfigException naming the field, if it is wrong
     */
    public static OciProcess parse(String json) {
        return of(new JsonObject(JsonDocument.parse(json), ""));
    }

    static OciProcess of(JsonObject json) {
        return new OciProcess(
                json.flag("terminal"),
                json.object("consoleSize", ConsoleSize::of),
                json.objectOrEmpty("user", User::of),
                args(json),
                json.texts("env"),
                cwd(json),
                capabilities(json),
                json.objects("rlimits", Rlimit::of),
                json.flag("noNewPrivileges"),
                json.text("apparmorProfile"),
                json.number("oomScoreAdj", -1000, 1000),
                json.object("scheduler", Scheduler::of),
                json.text("selinuxLabel"),
                json.object("ioPriority", IoPriority::of));
    }

    private static Optional<Capabilities> capabilities(JsonObject json) {
        Optional<Capabilities> capabilities = json.isList("capabilities")
                ? Optional.of(Capabilities.ofList(json.texts("capabilities")))
                : json.object("capabilities", Capabilities::of);
        try {
            capabilities.ifPresent(Capabilities::toConfig);
        } catch (InvalidConfigException e) {
            throw json.error("capabilities", String.valueOf(e.getMessage()));
        }
        return capabilities;
    }

    private static List<String> args(JsonObject json) {
        List<String> args = json.texts("args");
        if (args.isEmpty()) {
            throw json.error("args", "missing");
        }
        if (args.get(0).isEmpty()) {
            throw json.error("args[0]", "must name a program");
        }
        return args;
    }

    private static String cwd(JsonObject json) {
        String cwd = json.requiredText("cwd");
        if (!cwd.startsWith("/") || Arrays.asList(cwd.split("/")).contains("..")) {
            throw json.error("cwd", JsonObject.shown(cwd) + " must be absolute, without '..'");
        }
        return cwd;
    }

    /**
     * As {@link #toConfig}, for one more process of a running container, which has no other place for the rest. What has no
     * meaning in the guest, and the adjustment of badness, which is that of the container, is left out and logged.
     *
     * @throws UnsupportedException naming the field, if the process would not be what was asked for
     */
    public ProcessConfig toExecConfig() {
        if (user.umask.orElse(USUAL_UMASK) != USUAL_UMASK) {
            throw new UnsupportedException(
                    "user.umask: " + user.umask.getAsLong() + " cannot be had in the guest: only " + USUAL_UMASK);
        }
        if (scheduler.isPresent()) {
            throw new UnsupportedException("scheduler: cannot be had in the guest");
        }
        LeftOut leftOut = new LeftOut();
        leftOut.note("apparmorProfile", apparmorProfile);
        leftOut.note("selinuxLabel", selinuxLabel);
        leftOut.note("ioPriority", ioPriority);
        leftOut.note("oomScoreAdj", oomScoreAdj.isPresent() ? Optional.of(oomScoreAdj) : Optional.empty());
        leftOut.log();
        return toConfig();
    }

    /**
     * What the API takes of it. Entries of the environment without a name or a {@code =} are skipped; of two with one name
     * the last counts, as in runc and crun. A terminal without a size is one of 24 rows and 80 columns.
     */
    public ProcessConfig toConfig() {
        return new ProcessConfig(
                args,
                environment(),
                GuestPath.of(cwd),
                new io.virtcontainers.User(user.uid, user.gid, user.additionalGids),
                terminal ? Optional.of(size()) : Optional.empty(),
                noNewPrivileges,
                capabilities.map(Capabilities::toConfig),
                rlimits.stream().map(Rlimit::toConfig).toList());
    }

    private Map<String, String> environment() {
        Map<String, String> variables = new LinkedHashMap<>();
        for (String entry : env) {
            int end = entry.indexOf('=');
            if (end > 0) {
                variables.put(entry.substring(0, end), entry.substring(end + 1));
            }
        }
        return variables;
    }

    private TerminalSize size() {
        return consoleSize
                .filter(size -> size.height > 0 && size.width > 0)
                .map(size -> new TerminalSize(size.height, size.width))
                .orElse(DEFAULT_SIZE);
    }
}
