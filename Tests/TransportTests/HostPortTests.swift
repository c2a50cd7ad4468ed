import Testing
import Transport

@Suite struct HostPortTests {
    @Test func `the parts of an endpoint are told apart`() {
        #expect(HostPort(endpoint: "tcp://192.0.2.1:7070") == HostPort(host: "192.0.2.1", port: 7070))
        #expect(HostPort(endpoint: "tcp://[::1]:7070") == HostPort(host: "::1", port: 7070))
        #expect(HostPort(endpoint: "tcp://*:0") == HostPort(host: "*", port: 0))
        #expect(HostPort("head.lan:1") == HostPort(host: "head.lan", port: 1))
        for endpoint in [
            "", "tcp://", "tcp://:1", "ipc:///tmp/x", "http://a:1", "tcp://nowhere", "tcp://a:70000", "tcp://a:",
            "tcp://a:+1", "tcp://::1:5", "tcp://a b:1", "tcp://eth0;x:1", "tcp://a/b:1", "a:1", "tcp://[]:1",
        ] {
            #expect(HostPort(endpoint: endpoint) == nil, "\(endpoint)")
        }
    }

    @Test func `an IPv6 address is written in brackets`() {
        #expect("\(HostPort(host: "::1", port: 8080))" == "[::1]:8080")
        #expect("\(HostPort(host: "127.0.0.1", port: 8080))" == "127.0.0.1:8080")
    }

    @Test func `loopback and wildcards are known`() {
        for host in ["127.0.0.1", "127.9.9.9", "localhost", "::1"] { #expect(HostPort(host: host, port: 1).isLoopback) }
        for host in ["192.0.2.1", "127.example.org", "*", "127.0.0"] {
            #expect(!HostPort(host: host, port: 1).isLoopback)
        }
        for host in ["*", "0.0.0.0", "::"] { #expect(HostPort(host: host, port: 1).isWildcard) }
    }
}
