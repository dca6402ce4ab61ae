// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import static io.virtcontainers.oci.JsonObject.UINT32;

import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A filter of system calls (runtime-spec, config-linux.md, {@code linux.seccomp}).
 *
 * @param defaultAction for calls that no rule names, for example {@code SCMP_ACT_ERRNO}
 * @param defaultErrnoRet the error number of that action
 * @param architectures for example {@code SCMP_ARCH_X86_64}
 * @param flags of seccomp(2), for example {@code SECCOMP_FILTER_FLAG_LOG}
 * @param listenerPath a socket of the host that decides on {@code SCMP_ACT_NOTIFY}
 * @param listenerMetadata what is sent to it
 * @param syscalls the rules
 */
public record OciSeccomp(
        String defaultAction,
        OptionalLong defaultErrnoRet,
        List<String> architectures,
        List<String> flags,
        Optional<String> listenerPath,
        Optional<String> listenerMetadata,
        List<Syscall> syscalls) {

    /** What happens to calls of these names, if all args match. */
    public record Syscall(List<String> names, String action, OptionalLong errnoRet, List<Arg> args) {
        static Syscall of(JsonObject json) {
            List<String> names = json.texts("names");
            if (names.isEmpty()) {
                throw json.error("names", "missing");
            }
            return new Syscall(
                    names,
                    json.requiredText("action"),
                    json.number("errnoRet", 0, UINT32),
                    json.objects("args", Arg::of));
        }
    }

    /** A comparison such as {@code SCMP_CMP_EQ} of the argument number {@code index}; the values have no sign. */
    public record Arg(long index, long value, long valueTwo, String op) {
        static Arg of(JsonObject json) {
            return new Arg(
                    json.requiredNumber("index", 0, UINT32),
                    json.requiredUnsigned("value"),
                    json.unsigned("valueTwo").orElse(0),
                    json.requiredText("op"));
        }
    }

    static OciSeccomp of(JsonObject json) {
        return new OciSeccomp(
                json.requiredText("defaultAction"),
                json.number("defaultErrnoRet", 0, UINT32),
                json.texts("architectures"),
                json.texts("flags"),
                json.text("listenerPath"),
                json.text("listenerMetadata"),
                json.objects("syscalls", Syscall::of));
    }
}
