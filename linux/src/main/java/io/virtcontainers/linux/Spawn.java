// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import java.util.List;

/** posix_spawn(3), which copies nothing of this process: unlike fork, it takes the same time for a JVM of any size. */
final class Spawn {
    /** More than glibc's posix_spawn_file_actions_t (80 bytes) and posix_spawnattr_t (336). */
    private static final int STRUCT_BYTES = 512;

    private static final int FIRST_FILE = 3;
    private static final int O_RDWR = 2;
    private static final int SIGNAL_SET_BYTES = 128;
    private static final int SET_SIGNAL_DEFAULTS = 0x04;
    private static final int SET_SIGNAL_MASK = 0x08;
    private static final int NEW_SESSION = 0x80;

    private Spawn() {}

    /**
     * Starts a program.
     *
     * @param output the descriptor that becomes its standard output and error
     * @return its pid
     * @throws LinuxException if it cannot be started; then nothing was
     */
    static int start(Command command, int output) {
        try (Arena arena = new Arena()) {
            long actions = arena.allocate(STRUCT_BYTES);
            long attributes = arena.allocate(STRUCT_BYTES);
            call("posix_spawn_file_actions_init", actions);
            call("posix_spawnattr_init", attributes);
            try {
                fillActions(actions, command, output, arena);
                fillAttributes(attributes, command.detached(), arena);
                return spawn(command, actions, attributes, arena);
            } finally {
                call("posix_spawn_file_actions_destroy", actions);
                call("posix_spawnattr_destroy", attributes);
            }
        }
    }

    private static void fillActions(long actions, Command command, int output, Arena arena) {
        call("posix_spawn_file_actions_addopen", actions, 0, arena.string("/dev/null"), 0, 0);
        call("posix_spawn_file_actions_adddup2", actions, output, 1);
        call("posix_spawn_file_actions_adddup2", actions, output, 2);
        long directory = arena.string(command.directory().toString());
        call("posix_spawn_file_actions_addchdir_np", actions, directory);
        call("posix_spawn_file_actions_addclosefrom_np", actions, FIRST_FILE);
        for (int i = 0; i < command.files().size(); i++) {
            Command.OpenFile file = command.files().get(i);
            long path = arena.string(file.path().toString());
            call("posix_spawn_file_actions_addopen", actions, FIRST_FILE + i, path, file.writable() ? O_RDWR : 0, 0);
        }
    }

    /** The JVM's threads block some signals, and nohup(1) ignores one: neither is for the program. */
    private static void fillAttributes(long attributes, boolean newSession, Arena arena) {
        long none = arena.allocate(SIGNAL_SET_BYTES);
        long all = arena.allocate(SIGNAL_SET_BYTES);
        Native.MEMORY.setMemory(all, SIGNAL_SET_BYTES, (byte) 0xff);
        call("posix_spawnattr_setsigmask", attributes, none);
        call("posix_spawnattr_setsigdefault", attributes, all);
        int flags = SET_SIGNAL_DEFAULTS | SET_SIGNAL_MASK | (newSession ? NEW_SESSION : 0);
        call("posix_spawnattr_setflags", attributes, flags);
    }

    private static int spawn(Command command, long actions, long attributes, Arena arena) {
        String program = command.arguments().get(0);
        long path = arena.string(program);
        long arguments = arena.strings(command.arguments());
        List<String> variables = command.environment().entrySet().stream()
                .map(variable -> variable.getKey() + "=" + variable.getValue())
                .toList();
        long environment = arena.strings(variables);
        long pid = arena.allocate(Integer.BYTES);
        int errno = (int) Native.call("posix_spawn", pid, path, actions, attributes, arguments, environment);
        if (errno != 0) {
            throw new LinuxException("cannot start " + program + " in " + command.directory() + ": "
                    + Native.problem("posix_spawn", errno));
        }
        return Native.MEMORY.getInt(pid);
    }

    /** For functions that return an error number. */
    private static void call(String function, long... arguments) {
        int errno = (int) Native.call(function, arguments);
        if (errno != 0) {
            throw new LinuxException(Native.problem(function, errno));
        }
    }
}
