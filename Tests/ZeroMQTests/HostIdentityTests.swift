import Testing

@testable import ZeroMQ

@Suite struct HostIdentityTests {
    @Test func `a host is known by its boot, its network namespace and its shared memory`() {
        #expect(
            HostIdentity.text(
                bootID: "5f0e1a2b-3c4d-4e5f-8a9b-0c1d2e3f4a5b\n", namespace: "net:[4026531840]", memory: 27)
                == "5f0e1a2b-3c4d-4e5f-8a9b-0c1d2e3f4a5b/4026531840/27")
        #expect(HostIdentity.text(bootID: "a-b", namespace: "net:[1]", memory: nil) == "")
    }

    @Test(arguments: [
        ("", "net:[1]"), ("a-b", ""), ("a-b", "net:[]"), ("\n", "net:[1]"), ("a-b", "4026531840"),
        (String(repeating: "a", count: 65), "net:[1]"),
    ])
    func `a host that the kernel does not tell is none`(bootID: String, namespace: String) {
        #expect(HostIdentity.text(bootID: bootID, namespace: namespace, memory: 27) == "")
    }

    @Test func `this machine's id fits the wire and stays the same`() {
        #expect(HostIdentity.current == HostIdentity.current)
        #expect(HostIdentity.current.utf8.count <= 128)
        #expect(HostIdentity.current.utf8.allSatisfy { (0x21...0x7E).contains($0) })
    }
}
