// SPDX-License-Identifier: Apache-2.0
/**
 * What the engine keeps on disk and how processes agree about it: one directory, one document and one lock per sandbox.
 *
 * <pre>
 * &lt;state&gt;/locks                      the locks of all sandboxes; never removed
 * &lt;state&gt;/sandboxes/&lt;id&gt;/sandbox.json  the document: what the sandbox is, and the journal of what it holds
 * &lt;state&gt;/sandboxes/&lt;id&gt;/vm/           the hypervisor's sockets and files
 * &lt;state&gt;/damaged/                   documents that could not be understood, set aside by a clean-up
 * </pre>
 */
@NullMarked
package io.virtcontainers.core.state;

import org.jspecify.annotations.NullMarked;
