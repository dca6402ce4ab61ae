// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.SOON;
import static io.virtcontainers.VmFixture.output;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.virtcontainers.oci.Bundle;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.slf4j.LoggerFactory;

/**
 * Each field of the OCI runtime-spec as docs/oci.md says it, on one real virtual machine. A field that works is proved by
 * what a container sees and by what the kernel keeps it from; {@code OciMatrixTest} holds the document to these names.
 */
@Tag("vm")
@Timeout(120)
class OciFieldsVmTest {
    private static final String CGROUP = "cd /sys/fs/cgroup; ";
    private static final String STATUS = "grep -E '^(Cap|NoNewPrivs)' /proc/self/status";

    @TempDir
    static Path directory;

    private static VmFixture fixture;
    private static Sandbox sandbox;
    private static int containers;

    @BeforeAll
    static void boot() throws IOException {
        fixture = new VmFixture(directory);
        Bundle first =
                OciBundles.write(directory.resolve("first"), fixture.rootfs, "{'hostname': 'of-the-bundle'}", "");
        sandbox = fixture.vc.run(
                first.sandboxConfig("oci").memory(MemorySize.mib(256)).build());
    }

    @AfterAll
    static void end() throws IOException {
        fixture.close();
    }

    /** @param mountSource where the source of each bind mount is in the guest */
    private static Container create(String changes, String script, Optional<GuestPath> mountSource) throws IOException {
        String id = "c" + ++containers;
        Bundle bundle = OciBundles.write(directory.resolve(id), fixture.rootfs, changes, "exec 2>&1; " + script);
        return sandbox.createContainer(
                bundle.containerConfig(id, bundle.guestSpec(/* seccomp= */ true), mount -> mountSource));
    }

    private static Container create(String changes, String script) throws IOException {
        return create(changes, script, Optional.empty());
    }

    /** Runs a plain container with these changes, and gives back all that it prints. */
    private static String run(String changes, String script) throws IOException {
        return outputOf(create(changes, script));
    }

    private static String outputOf(Container container) throws IOException {
        String output = output(container);
        container.delete();
        return output;
    }

    /** A container to execute further processes in. */
    private static Container waiting(String changes) throws IOException {
        Container container = create(changes, "exec sleep 1000000");
        container.start();
        return container;
    }

    private static String exec(Container container, ProcessConfig.Builder process) throws IOException {
        return output(container.exec(process.build()));
    }

    private static ProcessConfig.Builder sh(String script) {
        return ProcessConfig.builder("sh", "-c", "exec 2>&1; " + script);
    }

    // ociVersion, root, hostname, mounts

    @Test
    void version() throws IOException {
        assertThat(run("{'ociVersion': '1.0.2-dev'}", "echo runs")).isEqualTo("runs\n");
        assertThatThrownBy(() -> run("{'ociVersion': '2.0.0'}", "echo runs"))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("ociVersion: \"2.0.0\"");
    }

    @Test
    void root() throws IOException {
        String touch = "touch /file && echo made; touch /tmp/file && echo made";
        assertThat(run("{}", touch)).isEqualTo("made\nmade\n");
        assertThat(run("{'root': {'readonly': true}}", touch)).isEqualTo("touch: /file: Read-only file system\nmade\n");
        assertThatThrownBy(() -> run("{'root': {'path': '/no-such-directory'}}", "true"))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("root.path: \"/no-such-directory\"");
    }

    @Test
    void hostname() throws IOException {
        assertThat(run("{'hostname': 'another'}", "hostname")).isEqualTo("of-the-bundle\n");
    }

    @Test
    void domainname() throws IOException {
        assertThat(run("{'domainname': 'example.org'}", "cat /proc/sys/kernel/domainname"))
                .isEqualTo("example.org\n");
    }

    @Test
    void mounts() throws IOException {
        String changes = """
                {'mounts': [
                  {'destination': '/proc', 'type': 'proc', 'source': 'proc'},
                  {'destination': '/sys', 'type': 'sysfs', 'source': 'sysfs', 'options': ['ro']},
                  {'destination': '/sys/fs/cgroup', 'type': 'cgroup', 'source': 'cgroup', 'options': ['ro']},
                  {'destination': '/queues', 'type': 'mqueue', 'source': 'mqueue', 'options': ['nosuid']},
                  {'destination': 'relative/dir', 'type': 'tmpfs', 'source': 'any',
                   'options': ['nosuid', 'nodev', 'noexec', 'noatime', 'size=64k', 'mode=711', 'uid=5', 'gid=6']},
                  {'destination': '/locked', 'type': 'tmpfs', 'source': 'tmpfs', 'options': ['ro']}
                ]}""";
        assertThat(run(changes, """
                        grep -E ' /(queues|relative/dir|sys/fs/cgroup|locked) ' /proc/mounts | cut -d ' ' -f 2-4
                        stat -c '%a %u %g' /relative/dir
                        cp /bin/busybox /relative/dir/ls
                        echo 'echo ran' > /relative/dir/script; chmod 755 /relative/dir/script; /relative/dir/script
                        mknod /relative/dir/null c 1 3; cat /relative/dir/null
                        touch /locked/file
                        """))
                .contains("/queues mqueue rw,nosuid,relatime")
                .contains("/relative/dir tmpfs rw,nosuid,nodev,noexec,noatime,size=64k,mode=711,uid=5,gid=6")
                .contains("/sys/fs/cgroup cgroup2 ro,")
                .contains("/locked tmpfs ro,")
                .contains("711 5 6\n")
                .contains("No space left on device")
                .contains("/relative/dir/script: Permission denied")
                .contains("can't open '/relative/dir/null': Permission denied")
                .contains("touch: /locked/file: Read-only file system")
                .doesNotContain("ran\n");
        assertThatThrownBy(() -> run("{'mounts': [{'destination': '/x', 'type': 'no-such-type'}]}", "true"))
                .isInstanceOf(AgentException.class)
                .hasMessageContaining("No such device");
    }

    @Test
    void bindMounts() throws IOException {
        Container other = waiting("{}");
        exec(other, sh("mkdir /shared; echo of-the-other > /shared/file"));
        Optional<GuestPath> shared =
                Optional.of(GuestPath.of("/run/kata-containers/shared/containers/" + other.id() + "/rootfs/shared"));
        String readOnly =
                "{'mounts': [{'destination': '/data', 'type': 'bind', 'source': '/srv', 'options': ['rbind', 'ro']}]}";
        assertThat(outputOf(create(readOnly, "cat /data/file; touch /data/new", shared)))
                .isEqualTo("of-the-other\ntouch: /data/new: Read-only file system\n");
        String writable = "{'mounts': [{'destination': '/data', 'source': '/srv', 'options': ['bind']}]}";
        assertThat(outputOf(create(writable, "echo written > /data/new && cat /data/new", shared)))
                .isEqualTo("written\n");
        assertThat(exec(other, sh("cat /shared/new"))).isEqualTo("written\n");
        assertThatThrownBy(() -> run(writable, "true"))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("mounts[0].source: \"/srv\" of the host cannot be brought into the guest");
        other.delete();
    }

    // process

    @Test
    void commandEnvironmentAndDirectory() throws IOException {
        assertThat(run(
                        "{'process': {'env': ['PATH=/bin', 'EQUALS=a=b=c', 'EMPTY='], 'cwd': '/tmp'}}",
                        "echo $EQUALS; echo ${EMPTY-unset}; echo ${HOME-unset}; pwd"))
                .isEqualTo("a=b=c\n\n/root\n/tmp\n");
        assertThatThrownBy(() -> run("{'process': {'args': ['/no/such/program']}}", ""))
                .isInstanceOf(CommandNotFoundException.class);
    }

    @Test
    void userAndGroups() throws IOException {
        Container container = waiting("{'process': {'user': {'uid': 7, 'gid': 8, 'additionalGids': [9, 10]}}}");
        String ids = "grep -E '^(Uid|Gid|Groups)' /proc/%s/status | tr -s '\\t ' ' '; touch /file";
        assertThat(exec(container, sh(ids.formatted("1")).user(new User(11, 12, List.of(13L)))))
                .isEqualTo("Uid: 7 7 7 7\nGid: 8 8 8 8\nGroups: 9 10 \ntouch: /file: Permission denied\n");
        assertThat(exec(container, sh(ids.formatted("self")).user(new User(11, 12, List.of(13L)))))
                .isEqualTo("Uid: 11 11 11 11\nGid: 12 12 12 12\nGroups: 13 \ntouch: /file: Permission denied\n");
        container.delete();
    }

    @Test
    void umask() throws IOException {
        Container container = waiting("{'process': {'user': {'uid': 0, 'gid': 0, 'umask': 18}}}");
        assertThat(exec(container, sh("umask; grep Umask /proc/1/status"))).isEqualTo("0022\nUmask:\t0022\n");
        container.delete();
    }

    @Test
    void terminal() throws IOException {
        assertThat(run(
                        "{'process': {'terminal': true, 'consoleSize': {'height': 11, 'width': 22}}}",
                        "stty size; tty; ls /dev/console"))
                .isEqualTo("11 22\r\n/dev/pts/0\r\n/dev/console\r\n");
        assertThat(run("{}", "tty")).isEqualTo("not a tty\n");
    }

    @Test
    void capabilities() throws IOException {
        String five = """
                {'process': {'noNewPrivileges': false, 'user': {'uid': %d, 'gid': 0}, 'capabilities': {
                  'bounding': ['CAP_CHOWN', 'CAP_KILL', 'CAP_SYS_CHROOT'], 'effective': ['CAP_KILL'],
                  'inheritable': ['CAP_CHOWN', 'CAP_KILL'], 'permitted': ['CAP_CHOWN', 'CAP_KILL'],
                  'ambient': ['CAP_KILL']}}}""";
        assertThat(run(five.formatted(1000), STATUS + "; chown 1 /bin"))
                .isEqualTo(status(0x21, 0x20, 0x20, 0x40021, 0x20, 0) + "chown: /bin: Operation not permitted\n");
        assertThat(run("{}", "touch /tmp/x; chown 5 /tmp/x && stat -c %u /tmp/x; chroot / true"))
                .isEqualTo("5\nchroot: can't change root directory to '/': Operation not permitted\n");
        assertThat(run("{'process': {'capabilities': null}}", STATUS + "; chown 5 /tmp"))
                .isEqualTo(status(0, 0, 0, 0, 0, 1) + "chown: /tmp: Operation not permitted\n");
        assertThat(run("{'process': {'capabilities': {'bounding': ['CAP_KILL', 'CAP_OF_THE_FUTURE']}}}", STATUS))
                .contains("CapBnd:\t0000000000000020");
    }

    /** Inheritable, permitted, effective, bounding, ambient. */
    private static String status(
            long inheritable, long permitted, long effective, long bounding, long ambient, int nnp) {
        return "CapInh:\t%016x\nCapPrm:\t%016x\nCapEff:\t%016x\nCapBnd:\t%016x\nCapAmb:\t%016x\nNoNewPrivs:\t%d\n"
                .formatted(inheritable, permitted, effective, bounding, ambient, nnp);
    }

    @Test
    void anExecHasTheRightsOfItsContainerAndNoMore() throws IOException {
        String kill = "{'bounding': ['CAP_KILL'], 'effective': ['CAP_KILL'], 'permitted': ['CAP_KILL']}";
        Container container = waiting("{'process': {'capabilities': " + kill + "}}");
        String ofTheContainer = status(0, 0x20, 0x20, 0x20, 0, 1);
        assertThat(exec(container, sh(STATUS.replace("self", "1")))).isEqualTo(ofTheContainer);
        assertThat(exec(container, sh(STATUS))).isEqualTo(ofTheContainer);
        assertThat(exec(container, sh(STATUS).noNewPrivileges(false)))
                .as("what binds the container binds all")
                .isEqualTo(ofTheContainer);
        assertThat(exec(container, sh(STATUS).user(User.of(5, 5)))).isEqualTo(status(0, 0, 0, 0x20, 0, 1));
        container.delete();
        Container without = waiting("{'process': {'capabilities': null}}");
        assertThat(exec(without, sh(STATUS))).isEqualTo(status(0, 0, 0, 0, 0, 1));
        without.delete();
    }

    @Test
    void anExecCanBeGivenRightsOfItsOwn() throws IOException {
        Container container = waiting("{}");
        assertThat(exec(container, sh(STATUS).capabilities(Capabilities.none())))
                .isEqualTo(status(0, 0, 0, 0, 0, 1));
        assertThat(exec(container, sh(STATUS).capabilities(Capabilities.of("CAP_SYS_CHROOT"))))
                .isEqualTo(status(0, 0x40000, 0x40000, 0x40000, 0, 1));
        Capabilities kept = Capabilities.builder().keep("CAP_SYS_CHROOT").build();
        assertThat(exec(
                        container,
                        sh(STATUS + "; chroot / true && echo changed")
                                .user(User.of(5, 5))
                                .capabilities(kept)))
                .isEqualTo(status(0x40000, 0x40000, 0x40000, 0x40000, 0x40000, 1) + "changed\n");
        container.delete();
    }

    @Test
    void anExecIsSetUpAsItsContainerIs() throws IOException {
        Container container = waiting("{}");
        String script = "pwd; echo $HOME; umask; ls /proc/$$/fd; cat /proc/self/cgroup; readlink /proc/$$/root";
        assertThat(exec(container, sh(script).workingDirectory("/made/on/the/way")))
                .isEqualTo("/made/on/the/way\n/root\n0022\n0\n1\n2\n0::/\n/\n");
        assertThat(exec(
                        container,
                        sh("echo $HOME; echo $A").user(User.of(77, 7)).environment("A", "b c")))
                .isEqualTo("/\nb c\n");
        String terminal = "tty; stty size; stat -c '%u %g' $(tty); echo controlled > /dev/tty";
        assertThat(exec(container, sh(terminal).user(User.of(5, 6)).terminal(new TerminalSize(40, 99))))
                .isEqualTo("/dev/pts/0\r\n40 99\r\n5 6\r\ncontrolled\r\n");
        assertThat(exec(container, sh("echo a > /dev/stdout").user(User.of(5, 6))))
                .isEqualTo("a\n");
        container.delete();
    }

    /** Without "no new privileges" a filter takes CAP_SYS_ADMIN, which then must be gone. */
    @Test
    void anExecIsFilteredWithoutGainingRights() throws IOException {
        Container container = waiting("""
                {'process': {'noNewPrivileges': false}, 'linux': {'seccomp': {'defaultAction': 'SCMP_ACT_ALLOW',
                  'architectures': ['SCMP_ARCH_X86_64'],
                  'syscalls': [{'names': ['mkdir', 'mkdirat'], 'action': 'SCMP_ACT_ERRNO', 'errnoRet': 28}]}}}""");
        String script = STATUS + "; grep Seccomp: /proc/self/status; mkdir /tmp/x";
        String filtered = "Seccomp:\t2\nmkdir: can't create directory '/tmp/x': No space left on device\n";
        long all = 0x8000023;
        assertThat(exec(container, sh(script).noNewPrivileges(false)))
                .isEqualTo(status(0, all, all, all, 0, 0) + filtered);
        assertThat(exec(container, sh(script).noNewPrivileges(false).user(User.of(5, 5))))
                .isEqualTo(status(0, 0, 0, all, 0, 0) + filtered);
        Capabilities kept = Capabilities.builder().keep("CAP_KILL").build();
        assertThat(exec(
                        container,
                        sh(script).noNewPrivileges(false).user(User.of(5, 5)).capabilities(kept)))
                .isEqualTo(status(0x20, 0x20, 0x20, 0x20, 0x20, 0) + filtered);
        container.delete();
    }

    @Test
    void anExecFindsItsPlaceInTheCgroup() throws IOException {
        Container full = waiting("{'linux': {'resources': {'pids': {'limit': 1}}}}");
        assertThat(exec(full, sh("read line < /proc/self/cgroup; echo $line"))).isEqualTo("0::/\n");
        full.delete();
        Container parted = waiting("""
                {'mounts': [{'destination': '/proc', 'type': 'proc', 'source': 'proc'},
                  {'destination': '/cgroup', 'type': 'cgroup', 'source': 'cgroup'}]}""");
        assertThat(exec(parted, sh("""
                        cd /cgroup; mkdir inner; for p in 1 $$; do echo $p > inner/cgroup.procs; done
                        echo +pids > cgroup.subtree_control && echo parted"""))).isEqualTo("parted\n");
        assertThat(exec(parted, sh("read line < /proc/self/cgroup; echo $line")))
                .isEqualTo("0::/inner\n");
        parted.delete();
    }

    @Test
    void noNewPrivileges() throws IOException {
        // Root gains its bounding set when it executes a program, unless it may gain nothing.
        String bounding = "{'process': {'noNewPrivileges': %s, 'capabilities': {'bounding': ['CAP_KILL'],"
                + " 'effective': [], 'permitted': []}}}";
        assertThat(run(bounding.formatted("false"), STATUS)).isEqualTo(status(0, 0x20, 0x20, 0x20, 0, 0));
        assertThat(run(bounding.formatted("true"), STATUS)).isEqualTo(status(0, 0, 0, 0x20, 0, 1));
        Container container = waiting(bounding.formatted("false"));
        assertThat(exec(container, sh(STATUS).noNewPrivileges(false))).isEqualTo(status(0, 0x20, 0x20, 0x20, 0, 0));
        assertThat(exec(container, sh(STATUS).noNewPrivileges(true))).isEqualTo(status(0, 0, 0, 0x20, 0, 1));
        container.delete();
    }

    @Test
    void rlimits() throws IOException {
        Container container = waiting("""
                {'process': {'rlimits': [
                  {'type': 'RLIMIT_FSIZE', 'soft': 4096, 'hard': 18446744073709551615},
                  {'type': 'RLIMIT_NOFILE', 'soft': 120, 'hard': 130}]}}""");
        String limits = "grep -E '^Max (file size|open files|processes)' /proc/%s/limits | cut -c 27-66 | tr -s ' '";
        String write = "; head -c 9000 /dev/zero > /tmp/f; stat -c %s /tmp/f";
        assertThat(exec(container, sh(limits.formatted("1") + write)))
                .matches("4096 unlimited \\n\\d+ \\d+ \\n120 130 \\n(File size limit exceeded\\n)?4096\\n");
        assertThat(exec(
                        container,
                        sh(limits.formatted("self"))
                                .rlimit(new Rlimit("RLIMIT_NPROC", 5, 6))
                                .rlimit(new Rlimit("RLIMIT_NOFILE", 70, 80))))
                .as("by type: its own, or that of the container")
                .isEqualTo("4096 unlimited \n5 6 \n70 80 \n");
        assertThat(exec(container, sh(limits.formatted("self")))).matches("4096 unlimited \\n\\d+ \\d+ \\n120 130 \\n");
        container.delete();
        assertThatThrownBy(() -> run("{'process': {'rlimits': [{'type': 'RLIMIT_X', 'soft': 1, 'hard': 1}]}}", "true"))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("process.rlimits[0].type");
    }

    @Test
    void oomScoreAdj() throws IOException {
        Container container = waiting("{'process': {'oomScoreAdj': 321}}");
        assertThat(exec(container, sh("cat /proc/1/oom_score_adj /proc/self/oom_score_adj")))
                .isEqualTo("321\n321\n");
        container.delete();
    }

    // linux

    @Test
    void namespaces() throws IOException {
        Container container = waiting("{}");
        String list =
                "for n in pid mnt cgroup ipc uts net user; do readlink /proc/self/ns/$n; done; cat /proc/self/cgroup";
        List<String> one = exec(container, sh(list)).lines().toList();
        List<String> two = run("{}", list).lines().toList();
        assertThat(one.subList(0, 3)).as("own").doesNotContainAnyElementsOf(two.subList(0, 3));
        assertThat(one.subList(3, 7)).as("of the sandbox").isEqualTo(two.subList(3, 7));
        assertThat(one.get(7)).isEqualTo("0::/");
        container.delete();
    }

    @Test
    void cgroupsPath() throws IOException {
        String changes = "{'linux': {'cgroupsPath': '%s', 'namespaces': [{'type': 'pid'}, {'type': 'mount'}]}}";
        assertThat(run(changes.formatted("/of/its/own"), "cat /proc/self/cgroup"))
                .isEqualTo("0::/of/its/own\n");
        assertThat(run(changes.formatted("machine.slice:prefix:name"), "cat /proc/self/cgroup"))
                .isEqualTo("0::/prefix/name\n");
        assertThatThrownBy(() -> run(changes.formatted("/.."), "true")).isInstanceOf(AgentException.class);
    }

    @Test
    void memory() throws IOException {
        String limits = "'limit': 33554432, 'reservation': 16777216, 'swap': 50331648";
        assertThat(run(
                        "{'linux': {'resources': {'memory': {" + limits + "}}}}",
                        CGROUP + "cat memory.max memory.low memory.swap.max; tail /dev/zero; echo $?;"
                                + " grep oom_kill memory.events"))
                .matches("33554432\\n16777216\\n16777216\\n(Killed\\n)?137\\noom_kill 1\\n");
        assertThat(run("{'linux': {'resources': {'memory': {'limit': -1}}}}", CGROUP + "cat memory.max"))
                .isEqualTo("max\n");
    }

    @Test
    void cpu() throws IOException {
        String limits = "'shares': 512, 'quota': 20000, 'period': 200000";
        String output = run(
                "{'linux': {'resources': {'cpu': {" + limits + "}}}}",
                CGROUP
                        + "cat cpu.weight cpu.max; until grep -q '^nr_throttled [1-9]' cpu.stat; do :; done; echo slowed");
        assertThat(output).isEqualTo("20\n20000 200000\nslowed\n");
    }

    @Test
    void pids() throws IOException {
        assertThat(run(
                        "{'linux': {'resources': {'pids': {'limit': 3}}}}",
                        CGROUP + "cat pids.max; sleep 999 & sleep 999 & sleep 999 & echo no"))
                .isEqualTo("3\nsh: can't fork: Resource temporarily unavailable\n");
        assertThat(run("{'linux': {'resources': {'pids': {'limit': -1}}}}", CGROUP + "cat pids.max"))
                .isEqualTo("max\n");
    }

    /** The numbers of a disk that is there; drivers of disks get theirs from the kernel at random. */
    private static String[] disk() throws IOException {
        return run("{}", "grep -w vda /proc/partitions | tr -s ' ' | cut -d ' ' -f 2-3")
                .strip()
                .split(" ", -1);
    }

    @Test
    void devices() throws IOException {
        String[] disk = disk();
        String changes = """
                {'linux': {
                  'devices': [
                    {'path': '/dev/own-null', 'type': 'c', 'major': 1, 'minor': 3, 'fileMode': 416, 'uid': 5, 'gid': 6},
                    {'path': '/dev/disk', 'type': 'b', 'major': %s, 'minor': %s},
                    {'path': '/dev/fifo', 'type': 'p', 'fileMode': 384}],
                  'resources': {'devices': [
                    {'allow': false, 'access': 'rwm'},
                    {'allow': true, 'type': 'b', 'major': %s, 'minor': %s, 'access': 'r'}]}}}""".formatted(disk[0], disk[1], disk[0], disk[1]);
        assertThat(run(changes, """
                        stat -c '%F %a %u %g %t:%T' /dev/own-null /dev/fifo
                        cat /dev/own-null && echo empty
                        head -c 1 /dev/disk > /dev/null && echo readable; echo x > /dev/disk
                        for name in null zero full random urandom tty; do stat -c %F /dev/$name; done | uniq
                        """)).isEqualTo("""
                        character special file 640 5 6 1:3
                        fifo 600 0 0 0:0
                        empty
                        readable
                        sh: can't create /dev/disk: Operation not permitted
                        character special file
                        """);
    }

    @Test
    void noDeviceIsOpenWithoutARuleForIt() throws IOException {
        String disk = "mknod /tmp/disk b " + String.join(" ", disk())
                + " && head -c 1 /tmp/disk > /dev/null && echo read; cat /dev/null && echo usual";
        assertThat(run("{'linux': {'resources': null}}", disk))
                .isEqualTo("head: /tmp/disk: Operation not permitted\nusual\n");
        assertThat(outputOf(fixture.container(sandbox, "defaults", "sh", "-c", "exec 2>&1; " + disk)))
                .isEqualTo("head: /tmp/disk: Operation not permitted\nusual\n");
        assertThat(run("{'linux': {'resources': {'devices': [{'allow': true, 'access': 'rwm'}]}}}", disk))
                .as("there is a disk")
                .isEqualTo("read\nusual\n");
    }

    @Test
    void sysctl() throws IOException {
        assertThat(run("""
                        {'linux': {'sysctl': {
                          'kernel.shmmax': '4096', 'fs.mqueue.msg_max': '77', 'net.ipv4.ip_default_ttl': '33'}}}""", """
                        cd /proc/sys; cat kernel/shmmax fs/mqueue/msg_max net/ipv4/ip_default_ttl""")).isEqualTo("4096\n77\n33\n");
        assertThatThrownBy(() -> run("{'linux': {'sysctl': {'vm.swappiness': '1'}}}", "true"))
                .isInstanceOf(AgentException.class)
                .hasMessageContaining("vm.swappiness");
    }

    @Test
    void seccomp() throws IOException {
        String changes = """
                {'linux': {'seccomp': {
                  'defaultAction': 'SCMP_ACT_ALLOW', 'architectures': ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
                  'syscalls': [
                    {'names': ['mkdir', 'mkdirat'], 'action': 'SCMP_ACT_ERRNO', 'errnoRet': 28},
                    {'names': ['rmdir'], 'action': 'SCMP_ACT_ERRNO'},
                    {'names': ['chmod', 'fchmodat'], 'action': 'SCMP_ACT_ERRNO',
                     'args': [{'index': 1, 'value': 511, 'op': 'SCMP_CMP_EQ'}]},
                    {'names': ['symlink', 'symlinkat'], 'action': 'SCMP_ACT_KILL_PROCESS'},
                    {'names': ['a_call_of_the_future'], 'action': 'SCMP_ACT_ERRNO'}]}}}""";
        String script = """
                mkdir /tmp/x; rmdir /tmp
                touch /tmp/f; chmod 777 /tmp/f; chmod 755 /tmp/f && echo allowed
                ln -s a /tmp/b; echo $?
                """;
        assertThat(run(changes, script)).isEqualTo("""
                        mkdir: can't create directory '/tmp/x': No space left on device
                        rmdir: '/tmp': Operation not permitted
                        chmod: /tmp/f: Operation not permitted
                        allowed
                        Bad system call
                        159
                        """);
        Container container = waiting(changes);
        assertThat(exec(container, sh("mkdir /tmp/x"))).contains("No space left on device");
        container.delete();
    }

    @Test
    void seccompByDefault() throws IOException {
        assertThat(run("""
                        {'linux': {'seccomp': {
                          'defaultAction': 'SCMP_ACT_ERRNO', 'defaultErrnoRet': 38, 'architectures': ['SCMP_ARCH_X86_64'],
                          'syscalls': [{'action': 'SCMP_ACT_ALLOW', 'names': [
                            'access', 'arch_prctl', 'brk', 'capget', 'capset', 'chdir', 'clone', 'close', 'dup', 'dup2', 'execve',
                            'exit', 'exit_group', 'faccessat', 'fchdir', 'fchown', 'fcntl', 'fork', 'fstat', 'fstatfs', 'futex',
                            'getcwd', 'getdents64', 'geteuid', 'getpid', 'getppid', 'getrandom', 'getuid', 'ioctl', 'lseek',
                            'lstat', 'mmap', 'mprotect', 'munmap', 'newfstatat', 'open', 'openat', 'pipe2', 'poll', 'prctl',
                            'prlimit64', 'read', 'readlink', 'rseq', 'rt_sigaction', 'rt_sigprocmask', 'rt_sigreturn',
                            'set_robust_list', 'set_tid_address', 'setgid', 'setgroups', 'setresgid', 'setresuid', 'setsid',
                            'setuid', 'stat', 'umask', 'uname', 'unlink', 'vfork', 'wait4', 'write']}]}}}""", "mkdir /tmp/x; echo still $?"))
                .isEqualTo("mkdir: can't create directory '/tmp/x': Function not implemented\nstill 1\n");
    }

    @Test
    void rootfsPropagation() throws IOException {
        String flags = "grep ' / / ' /proc/self/mountinfo | grep -oE 'shared:|unbindable' || echo private";
        assertThat(run("{'linux': {'rootfsPropagation': 'shared'}}", flags)).isEqualTo("shared:\n");
        assertThat(run("{'linux': {'rootfsPropagation': 'unbindable'}}", flags)).isEqualTo("unbindable\n");
        assertThat(run("{'linux': {'rootfsPropagation': 'rslave'}}", flags)).isEqualTo("private\n");
        assertThatThrownBy(() -> run("{'linux': {'rootfsPropagation': 'other'}}", "true"))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("linux.rootfsPropagation: \"other\"");
    }

    @Test
    void maskedAndReadonlyPaths() throws IOException {
        String script = """
                ls -A /etc | wc -l; wc -c < /proc/timer_list
                echo 5 > /proc/sys/kernel/shmmni; touch /tmp/x
                """;
        assertThat(run("""
                        {'linux': {'maskedPaths': ['/etc', '/proc/timer_list', '/no/such/path'],
                          'readonlyPaths': ['/proc/sys', '/tmp', '/no/such/path']}}""", script)).isEqualTo("""
                        0
                        0
                        sh: can't create /proc/sys/kernel/shmmni: Read-only file system
                        touch: /tmp/x: Read-only file system
                        """);
        assertThat(run("{}", script).lines().limit(2)).doesNotContain("0");
    }

    // what is refused, and what is left out

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "{'process': {'user': {'umask': 63}}}                                    | $.process.user.umask 63",
                "{'process': {'scheduler': {'policy': 'SCHED_FIFO', 'priority': 1}}}     | $.process.scheduler",
                "{'mounts': [{'destination': '/x', 'type': 'tmpfs', 'uidMappings': [{'containerID': 0, 'hostID': 1, 'size': 1}]}]} | $.mounts[0].uidMappings",
                "{'mounts': [{'destination': '/x', 'type': 'tmpfs', 'gidMappings': [{'containerID': 0, 'hostID': 1, 'size': 1}]}]} | $.mounts[0].gidMappings",
                "{'linux': {'namespaces': [{'type': 'time'}]}}                           | linux.namespaces: type \"time\"",
                "{'linux': {'namespaces': [{'type': 'user'}]}}                           | linux.namespaces: type \"user\"",
                "{'linux': {'uidMappings': [{'containerID': 0, 'hostID': 1, 'size': 1}]}} | linux.uidMappings",
                "{'linux': {'gidMappings': [{'containerID': 0, 'hostID': 1, 'size': 1}]}} | linux.gidMappings",
                "{'linux': {'timeOffsets': {'monotonic': {'secs': 1}}}}                  | $.linux.timeOffsets",
                "{'linux': {'personality': {'domain': 'LINUX32'}}}                       | $.linux.personality",
                "{'linux': {'resources': {'cpu': {'realtimeRuntime': 1}}}}               | linux.resources.cpu.realtimeRuntime",
                "{'linux': {'resources': {'cpu': {'realtimePeriod': 1}}}}                | linux.resources.cpu.realtimePeriod",
                "{'linux': {'resources': {'unified': {'pids.max': '5'}}}}                | $.linux.resources.unified",
                "{'linux': {'seccomp': {'defaultAction': 'SCMP_ACT_NOTIFY'}}}            | linux.seccomp: SCMP_ACT_NOTIFY",
            })
    void refusedByName(String changes, String name) {
        assertThatThrownBy(() -> run(changes, "true"))
                .isInstanceOf(UnsupportedException.class)
                .hasMessageContaining(name);
    }

    @Test
    void aListenerForSeccompIsRefusedByName() {
        assertThatThrownBy(() -> run(
                        "{'linux': {'seccomp': {'defaultAction': 'SCMP_ACT_ALLOW', 'listenerPath': '/run/l',"
                                + " 'listenerMetadata': 'x'}}}",
                        "true"))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("linux.seccomp.listenerPath");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "{'process': {'apparmorProfile': 'p'}}                                      | process.apparmorProfile",
                "{'process': {'selinuxLabel': 'l'}}                                         | process.selinuxLabel",
                "{'process': {'ioPriority': {'class': 'IOPRIO_CLASS_IDLE'}}}                | $.process.ioPriority",
                "{'linux': {'mountLabel': 'l'}}                                             | linux.mountLabel",
                "{'linux': {'intelRdt': {'closID': 'c'}}}                                   | linux.intelRdt",
                "{'linux': {'resources': {'memory': {'kernel': 1}}}}                        | linux.resources.memory.kernel",
                "{'linux': {'resources': {'memory': {'kernelTCP': 1}}}}                     | linux.resources.memory.kernelTCP",
                "{'linux': {'resources': {'memory': {'swappiness': 1}}}}                    | linux.resources.memory.swappiness",
                "{'linux': {'resources': {'memory': {'disableOOMKiller': true}}}}           | linux.resources.memory.disableOOMKiller",
                "{'linux': {'resources': {'memory': {'useHierarchy': true}}}}               | $.linux.resources.memory.useHierarchy",
                "{'linux': {'resources': {'memory': {'checkBeforeUpdate': true}}}}          | $.linux.resources.memory.checkBeforeUpdate",
                "{'linux': {'resources': {'cpu': {'cpus': '0-3'}}}}                         | linux.resources.cpu.cpus",
                "{'linux': {'resources': {'cpu': {'mems': '0'}}}}                           | linux.resources.cpu.mems",
                "{'linux': {'resources': {'cpu': {'burst': 1}}}}                            | $.linux.resources.cpu.burst",
                "{'linux': {'resources': {'cpu': {'idle': 1}}}}                             | $.linux.resources.cpu.idle",
                "{'linux': {'resources': {'blockIO': {'weight': 10}}}}                      | linux.resources.blockIO",
                "{'linux': {'resources': {'hugepageLimits': [{'pageSize': '2MB', 'limit': 1}]}}} | linux.resources.hugepageLimits",
                "{'linux': {'resources': {'network': {'classID': 1}}}}                      | linux.resources.network",
                "{'linux': {'resources': {'rdma': {'mlx5': {'hcaHandles': 1}}}}}            | linux.resources.rdma",
                "{'linux': {'resources': {'unified': {'memory.oom.group': '1'}}}}           | $.linux.resources.unified",
                "{'linux': {'seccomp': {'defaultAction': 'SCMP_ACT_ALLOW', 'flags': ['SECCOMP_FILTER_FLAG_LOG']}}} | $.linux.seccomp.flags",
                "{'vm': {'kernel': {'path': '/k'}}}                                         | $.vm",
                "{'windows': {'layerFolders': ['x']}}                                       | $.windows.layerFolders",
            })
    void leftOutAndLogged(String changes, String name) throws IOException {
        ListAppender<ILoggingEvent> log = new ListAppender<>();
        Logger logger = (Logger) LoggerFactory.getLogger("io.virtcontainers");
        log.start();
        logger.setLevel(Level.INFO);
        logger.addAppender(log);
        try {
            assertThat(run(changes, "echo runs")).isEqualTo("runs\n");
        } finally {
            logger.detachAppender(log);
            logger.setLevel(null);
        }
        assertThat(log.list)
                .extracting(ILoggingEvent::getFormattedMessage)
                .filteredOn(line -> line.contains("left out"))
                .singleElement()
                .asString()
                .endsWith("paths=[" + name + "]");
    }

    @Test
    void annotations() throws IOException {
        Container container = create("{'annotations': {'org.example.key': 'value'}}", "true");
        assertThat(container.annotations()).containsEntry("org.example.key", "value");
        container.delete();
    }

    @Test
    void theExitStatusIsThatOfTheProcess() throws IOException {
        Container container = create("{}", "echo late >&2; exit 6");
        container.start();
        assertThat(new String(container.process().stdout().readAllBytes(), UTF_8))
                .isEqualTo("late\n");
        assertThat(container.process().waitFor(SOON)).isEqualTo(new ExitStatus(6));
        container.delete();
    }
}
