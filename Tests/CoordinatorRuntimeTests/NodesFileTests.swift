import ClusterCore
import CoordinatorRuntime
import Testing
import Transport

struct PlanningNodesFileTests {
    func complaint(_ text: String) -> String {
        do throws(ConfigurationError) {
            _ = try ClusterMeasurements.parse(text, file: "nodes.yaml")
            return ""
        } catch {
            return error.description
        }
    }

    @Test func `every key is taken`() throws {
        let measurements = try ClusterMeasurements.parse(
            """
            nodes:
              - name: big
                host: rack
                threads: 8
                memory: 32GiB
                free: 30 GiB
                bandwidth: {ternary: 35GB/s, other: 40GB/s}
                prefill: {ternary: 400GMAC/s, other: 300GMAC/s}
                ternary_bits: 1.6
                step_overhead: 80us
                layer_overhead: 0us
              - {name: small, count: 2, memory: 8GB, bandwidth: 12.5GB/s, prefill: 0.1TMAC/s, available: false}
            hosts:
              - {name: rack, bandwidth: 78GB/s, cores: 2, memory: 31GiB}
            links:
              latency: 120us
              bandwidth: 1Gbit/s
              message: 3us
              within_host: {latency: 40us, bandwidth: 4GB/s}
              between:
                - hosts: [rack, small-1]
                  bandwidth: 10Gbit/s
                  round_trips: {64B: 90us, 10KiB: 0.11ms, 1MiB: 2ms}
            coordinator: rack
            """, file: "nodes.yaml")
        let gibibyte = UInt64(1) << 30
        #expect(measurements.nodes.map(\.name) == ["big", "small-1", "small-2"])
        #expect(
            measurements.nodes[0]
                == NodeMeasurement(
                    name: "big", host: "rack", threadCount: 8, memoryTotalByteCount: 32 * gibibyte,
                    memoryFreeByteCount: 30 * gibibyte,
                    ternary: KernelRates(bytesPerSecond: 35e9, multiplyAddsPerSecond: 400e9),
                    other: KernelRates(bytesPerSecond: 40e9, multiplyAddsPerSecond: 300e9), ternaryBitsPerWeight: 1.6,
                    stepOverheadSeconds: 80 * 1e-6, layerOverheadSeconds: 0))
        #expect(measurements.nodes[1].memoryFreeByteCount == 8_000_000_000)
        #expect(measurements.nodes[2].ternary == KernelRates(bytesPerSecond: 12.5e9, multiplyAddsPerSecond: 100e9))
        #expect(!measurements.nodes[2].isAvailable)
        #expect(
            measurements.hosts == [
                HostMeasurement(
                    name: "rack", bandwidthBytesPerSecond: 78e9, coreCount: 2, memoryFreeByteCount: 31 * gibibyte)
            ])
        #expect(measurements.link.bandwidthBytesPerSecond == 125e6)
        #expect(measurements.link.messageSeconds == 3 * 1e-6)
        #expect(measurements.linkWithinHost.roundTrips.map(\.seconds) == [40 * 1e-6])
        #expect(measurements.overrides.map(\.link.roundTrips.count) == [3])
        #expect(measurements.overrides[0].link.bandwidthBytesPerSecond == 1.25e9)
        #expect(measurements.coordinatorHost == "rack")
    }

    @Test func `several mistakes are all told with their lines`() {
        let complaint = complaint(
            """
            nodes:
              - {name: a, memory: 32, bandwidth: 40GB/s, prefill: 200GMAC/s}
              - name: b
                memory: 8GiB
                bandwith: 40GB/s
                prefill: fast
              - {name: a b, memory: 8GiB, bandwidth: 0GB/s, prefill: 1GMAC/s, count: 5000}
            links:
              latency: 120
              between:
                - {hosts: [a], latency: 1ms}
            """)
        #expect(
            complaint.split(separator: "\n").map(String.init) == [
                #"nodes.yaml:2: nodes[0].memory: "32" is not a number with a unit; write it as 32GiB"#,
                "nodes.yaml:3: nodes[1]: it has no bandwidth; add bandwidth:",
                "nodes.yaml:5: nodes[1].bandwith: there is no such setting; did you mean bandwidth?",
                #"nodes.yaml:6: nodes[1].prefill: "fast" is not a number with a unit; write it as 200GMAC/s"#,
                #"nodes.yaml:7: nodes[2].name: "a b" is not a name; write 1 to 64 of A–Z a–z 0–9 . _ -"#,
                #"nodes.yaml:7: nodes[2].bandwidth: "0GB/s" is out of range; write it as 40GB/s or 1Gbit/s"#,
                "nodes.yaml:7: nodes[2].count: 5000 is out of range; write 1 to 1024",
                #"nodes.yaml:9: links.latency: "120" is not a number with a unit; write it as 120us or 0.5ms"#,
                "nodes.yaml:11: links.between[0].hosts: it does not name two hosts; write it as [a, b]",
            ])
    }

    @Test func `names that stand for nothing, or for two nodes, are told`() {
        let node = "memory: 8GiB, bandwidth: 20GB/s, prefill: 1GMAC/s"
        #expect(
            complaint("nodes:\n  - {name: a-1, \(node)}\n  - {name: a, count: 2, \(node)}")
                == "nodes.yaml:3: nodes[1].name: a-1 is listed twice; give it another name")
        #expect(
            complaint("nodes:\n  - {name: a, host: box, \(node)}\nhosts:\n  - {name: a, cores: 2}")
                == "nodes.yaml:4: hosts[0].name: there is no host a; "
                + "write the host: of a node, or the name of a node without one")
    }

    @Test(arguments: ["", "nodes: []", "[]", "nodes: {a: b}", "nodes:\n\t- x", "links: 3"])
    func `a file without nodes is refused`(text: String) {
        #expect(!complaint(text).isEmpty)
    }
}
