// SPDX-License-Identifier: Apache-2.0
/**
 * The OCI runtime-spec 1.1, and what a bundle of it means for a container in a virtual machine. For runtimes: command lines,
 * shims, whoever is handed a {@code config.json} by an engine.
 *
 * <p><b>Reading.</b> {@link io.virtcontainers.oci.OciSpec} is the whole configuration for Linux as immutable records. The
 * document is read and checked at once, so what is wrong is found before anything is started, and every error names the
 * field by its path: {@code linux.resources.memory.limit: "1g" must be a whole number}. Beside the records it keeps the
 * document: what they do not know, or a later version of the specification has, goes out as it came in. A field is checked
 * for its type, its range, and whether it is there; whether the kernel likes it, the kernel says.
 *
 * <p><b>A bundle</b> ({@link io.virtcontainers.oci.Bundle}) becomes a {@link io.virtcontainers.ContainerConfig} in three
 * steps, because a container in a virtual machine is one container in two places. {@link io.virtcontainers.oci.GuestSpec} is
 * what the configuration says about the guest; its table has every rule. The bind mounts of the host become copies ({@link
 * io.virtcontainers.Mount.Bind}); a caller with a storage layer of its own says instead where in the guest they are ({@link
 * io.virtcontainers.oci.GuestSpec#hostMounts}). The document that is left is {@link io.virtcontainers.ContainerConfig#spec}.
 *
 * <pre>{@code
 * Bundle bundle = Bundle.load(directory);
 * SandboxConfig sandbox = bundle.sandboxConfig(bundle.sandboxId(id)).build(); // if it is of the type SANDBOX
 * GuestSpec guest = bundle.guestSpec(false);
 * ContainerConfig container = bundle.containerConfig(id, guest);
 * }</pre>
 *
 * <p><b>Hooks</b> ({@link io.virtcontainers.oci.HookRunner}) are programs of the host. Four of the six kinds are about the
 * host and run there: {@code prestart} and {@code createRuntime} while the container is created, {@code poststart} before
 * <em>start</em> returns, {@code poststop} before <em>delete</em> returns. The other two, {@code createContainer} and {@code
 * startContainer}, run inside the container's namespaces by the specification. These are in the guest, where a program of
 * the host is not, and the agent's protocol has no place for them (Kata 1.x ignores them without a word). Here {@link
 * io.virtcontainers.oci.OciHooks#forGuest} tells that there are some, to refuse the container before it costs anything, and
 * running them is an {@link io.virtcontainers.UnsupportedException}.
 *
 * <p><b>State</b>: {@link io.virtcontainers.oci.OciState} is what the command {@code state} prints and what hooks read.
 *
 * <p><b>Annotations</b> that have a meaning here; all are kept with the container and, if it is the first, with its sandbox:
 *
 * <table>
 * <caption>annotations</caption>
 * <tr><th>key</th><th>value</th><th>from</th></tr>
 * <tr><td>{@code io.kubernetes.cri.container-type}</td><td>{@code sandbox}, {@code container}</td>
 *   <td>containerd's CRI plugin</td></tr>
 * <tr><td>{@code io.kubernetes.cri.sandbox-id}</td><td>the sandbox to join</td><td>the same</td></tr>
 * <tr><td>{@code io.kubernetes.cri-o.ContainerType}</td><td>{@code sandbox}, {@code container}</td><td>CRI-O, podman</td></tr>
 * <tr><td>{@code io.kubernetes.cri-o.SandboxID}</td><td>the sandbox to join</td><td>the same</td></tr>
 * <tr><td>{@code io.kubernetes.docker.type}</td><td>{@code podsandbox}, {@code container}</td><td>dockershim</td></tr>
 * <tr><td>{@code io.kubernetes.sandbox.id}</td><td>the sandbox to join</td><td>the same</td></tr>
 * <tr><td>{@code io.katacontainers.pkg.oci.bundle_path}</td><td>the bundle's directory</td><td>added here</td></tr>
 * <tr><td>{@code io.katacontainers.pkg.oci.container_type}</td><td>{@code pod_sandbox}, {@code pod_container}</td>
 *   <td>added here</td></tr>
 * </table>
 *
 * <p>Kata's {@code io.katacontainers.config.*}, which change a program's configuration for one sandbox, are declared where
 * that configuration is, in the program.
 */
@NullMarked
package io.virtcontainers.oci;

import org.jspecify.annotations.NullMarked;
