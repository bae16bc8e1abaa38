"""The station over OPC UA: its state, its last results and a method that starts a clearance, in a process of its own."""

from edge.opcua.front import OpcUa, Reply, StartOrder

__all__ = ["OpcUa", "Reply", "StartOrder"]
