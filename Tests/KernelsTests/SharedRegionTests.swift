import Foundation
import Kernels
import Testing

struct SharedRegionTests {
    private static let shape = SharedRegion.Shape(memberCount: 3, slotCount: 2, slotByteCount: 100)

    /// A name of its own for each test.
    private let name = "/ryz-test-\(ProcessInfo.processInfo.processIdentifier)-\(UInt32.random(in: 0 ... .max))"

    private var isThere: Bool { FileManager.default.fileExists(atPath: "/dev/shm" + name) }

    @Test func `the name is gone once all members have the region`() throws {
        let maker = try SharedRegion(creating: name, Self.shape)
        let second = try SharedRegion(opening: name, Self.shape)
        #expect(isThere)
        let third = try SharedRegion(opening: name, Self.shape)
        #expect(!isThere)
        withExtendedLifetime((maker, second, third)) {}
    }

    @Test func `if a member never comes, the first one to give up removes the name`() throws {
        for isOpened in [false, true] {
            let maker = try SharedRegion(creating: name, Self.shape)
            var members = [isOpened ? try SharedRegion(opening: name, Self.shape) : maker]
            #expect(isThere)
            if isOpened { members = [] }
            #expect(isThere != isOpened)
            withExtendedLifetime((maker, members)) {}
        }
        #expect(!isThere)
    }

    @Test func `looking for a region that is not whole leaves it there`() throws {
        let maker = try SharedRegion(creating: name, Self.shape)
        let other = SharedRegion.Shape(memberCount: 2, slotCount: 2, slotByteCount: 150)
        #expect(throws: SharedRegion.Problem.notThereYet) { try SharedRegion(opening: name, other) }
        #expect(throws: SharedRegion.Problem.notThereYet) { try SharedRegion(opening: name + "x", Self.shape) }
        #expect(isThere)
        withExtendedLifetime(maker) {}
    }
}
