// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import static io.virtcontainers.linux.Native.LIBC;

import java.nio.charset.Charset;
import java.util.ArrayList;
import java.util.List;
import jnr.ffi.Pointer;

/** posix_spawn(3), which copies nothing of this process: unlike fork, it takes the same time for a JVM of any size. */
final class Spawn {
    /** More than glibc's posix_spawn_file_actions_t (80 bytes), posix_spawnattr_t (336) and sigset_t (128). */
    private static final int STRUCT_BYTES = 512;

    private static final int SIGNAL_SET_BYTES = 128;
    private static final int POINTER_BYTES = 8;
    private static final short SET_SIGNAL_DEFAULTS = 0x04;
    private static final short SET_SIGNAL_MASK = 0x08;
    private static final short NEW_SESSION = 0x80;

    /** How the JDK passes file names to the C library. */
    private static final Charset FILE_NAMES = Charset.forName(System.getProperty("sun.jnu.encoding", "UTF-8"));

    private Spawn() {}

    /**
     * Starts a program.
     *
     * @param output the descriptor that becomes its standard output and error
     * @return its pid
     * @throws LinuxException if it cannot be started; then nothing was
     */
    static int start(Command command, int output) {
        Pointer actions = Native.allocate(STRUCT_BYTES);
        Pointer attributes = Native.allocate(STRUCT_BYTES);
        List<Pointer> memory = new ArrayList<>();
        check(LIBC.posix_spawn_file_actions_init(actions), "posix_spawn_file_actions_init");
        check(LIBC.posix_spawnattr_init(attributes), "posix_spawnattr_init");
        try {
            fillActions(actions, command, output, memory);
            fillAttributes(attributes, command.detached(), memory);
            List<String> environment = command.environment().entrySet().stream()
                    .map(variable -> variable.getKey() + "=" + variable.getValue())
                    .toList();
            String program = command.arguments().get(0);
            int[] pid = new int[1];
            int errno = LIBC.posix_spawn(
                    pid,
                    string(program, memory),
                    actions,
                    attributes,
                    strings(command.arguments(), memory),
                    strings(environment, memory));
            if (errno != 0) {
                throw new LinuxException("cannot start " + program + " in " + command.directory() + ": "
                        + Native.problem("posix_spawn", errno));
            }
            return pid[0];
        } catch (UnsatisfiedLinkError e) {
            throw new LinuxException("glibc 2.34 or newer is needed to start programs: " + e.getMessage(), e);
        } finally {
            // Not before the call: what glibc keeps by address must stay where it is.
            memory.clear();
            int unusedActions = LIBC.posix_spawn_file_actions_destroy(actions);
            int unusedAttributes = LIBC.posix_spawnattr_destroy(attributes);
        }
    }

    private static void fillActions(Pointer actions, Command command, int output, List<Pointer> memory) {
        check(LIBC.posix_spawn_file_actions_addopen(actions, 0, string("/dev/null", memory), 0, 0), "addopen");
        check(LIBC.posix_spawn_file_actions_adddup2(actions, output, 1), "adddup2");
        check(LIBC.posix_spawn_file_actions_adddup2(actions, output, 2), "adddup2");
        Pointer directory = string(command.directory().toString(), memory);
        check(LIBC.posix_spawn_file_actions_addchdir_np(actions, directory), "addchdir_np");
        check(LIBC.posix_spawn_file_actions_addclosefrom_np(actions, 3), "addclosefrom_np");
    }

    /** The JVM's threads block some signals, and nohup(1) ignores one: neither is for the program. */
    private static void fillAttributes(Pointer attributes, boolean newSession, List<Pointer> memory) {
        Pointer none = Native.allocate(SIGNAL_SET_BYTES);
        Pointer all = Native.allocate(SIGNAL_SET_BYTES);
        all.setMemory(0, SIGNAL_SET_BYTES, (byte) 0xff);
        memory.addAll(List.of(none, all));
        check(LIBC.posix_spawnattr_setsigmask(attributes, none), "setsigmask");
        check(LIBC.posix_spawnattr_setsigdefault(attributes, all), "setsigdefault");
        int flags = SET_SIGNAL_DEFAULTS | SET_SIGNAL_MASK | (newSession ? NEW_SESSION : 0);
        check(LIBC.posix_spawnattr_setflags(attributes, (short) flags), "setflags");
    }

    private static void check(int errno, String call) {
        if (errno != 0) {
            throw new LinuxException(Native.problem(call, errno));
        }
    }

    private static Pointer string(String text, List<Pointer> memory) {
        if (text.indexOf('\0') >= 0) {
            throw new LinuxException("a program's arguments cannot contain the character NUL: "
                    + text.substring(0, text.indexOf('\0')) + "...");
        }
        byte[] bytes = text.getBytes(FILE_NAMES);
        Pointer pointer = Native.allocate(bytes.length + 1);
        pointer.put(0, bytes, 0, bytes.length);
        memory.add(pointer);
        return pointer;
    }

    /** An array of strings that ends with a null pointer. */
    private static Pointer strings(List<String> texts, List<Pointer> memory) {
        Pointer array = Native.allocate((texts.size() + 1) * POINTER_BYTES);
        for (int i = 0; i < texts.size(); i++) {
            array.putPointer((long) i * POINTER_BYTES, string(texts.get(i), memory));
        }
        memory.add(array);
        return array;
    }
}
