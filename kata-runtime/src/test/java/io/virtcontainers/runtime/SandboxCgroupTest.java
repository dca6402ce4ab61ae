// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SandboxCgroupTest {
    @ParameterizedTest
    @CsvSource({
        "/libpod_parent/libpod-1f, /libpod_parent/libpod-1f, /libpod_parent/kata_libpod-1f",
        "/default//c/, /default/c, /default/kata_c",
        "pod/c, /vc/pod/c, /vc/pod/kata_c",
        "machine.slice:libpod:1f, /machine.slice/libpod-1f.scope, /machine.slice/kata_libpod-1f.scope",
        "a-b-c.slice:cri:7, /a.slice/a-b.slice/a-b-c.slice/cri-7.scope, /a.slice/a-b.slice/a-b-c.slice/kata_cri-7.scope",
        ":cri:7, /system.slice/cri-7.scope, /system.slice/kata_cri-7.scope",
        "-.slice::x.slice, /x.slice, /kata_x.slice"
    })
    void thePlaceIsTheOneThatTheEngineLooksAt(String cgroupsPath, String whole, String ofProcessors) {
        assertThat(SandboxCgroup.place(cgroupsPath, true)).isEqualTo(whole);
        assertThat(SandboxCgroup.place(cgroupsPath, false)).isEqualTo(ofProcessors);
    }

    @Test
    void withoutAPathThereIsNone() {
        assertThat(SandboxCgroup.of(Optional.empty(), true)).isEmpty();
    }
}
