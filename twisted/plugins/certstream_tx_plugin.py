from twisted.application.service import ServiceMaker

certstream = ServiceMaker(
    "certstream", "certstream_tx.tap", "Certificate Transparency stream server.", "certstream"
)
