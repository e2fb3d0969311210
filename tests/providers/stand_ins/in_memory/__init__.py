"""Vector stores in memory and a reader of text files: what the host's own need are libraries of a hundred megabytes.

Uploads, file batches and searches are the host's own code, over an index that keeps nothing and finds nothing.
"""

import uuid
from typing import Any

from ogx.core.storage.datatypes import KVStoreReference
from ogx.core.storage.kvstore import kvstore_impl
from ogx.providers.utils.memory.openai_vector_store_mixin import OpenAIVectorStoreMixin
from ogx_api import Api, VectorStore
from ogx_api.file_processors import ProcessFileResponse
from ogx_api.inference import OpenAIEmbeddingsRequestWithExtraBody
from ogx_api.vector_io import Chunk, ChunkMetadata, QueryChunksResponse
from pydantic import BaseModel


class Config(BaseModel):
    """Of both."""


class Vectors(OpenAIVectorStoreMixin):  # type: ignore[misc]
    """The host's vector stores over no index."""

    def __init__(self, deps: Any) -> None:
        super().__init__(deps[Api.inference], deps[Api.files], file_processor_api=deps[Api.file_processors])
        self.stores: dict[str, VectorStore] = {}

    async def register_vector_store(self, vector_store: VectorStore) -> None:
        """Keep it."""
        self.stores[vector_store.identifier] = vector_store

    async def unregister_vector_store(self, vector_store_id: str) -> None:
        """Forget it."""
        self.stores.pop(vector_store_id, None)

    async def insert_chunks(self, request: Any) -> None:
        """Do nothing."""

    async def delete_chunks(self, request: Any) -> None:
        """Do nothing."""

    async def query_chunks(self, request: Any) -> QueryChunksResponse:
        """Embed the query, as the host's own index does, and find nothing."""
        store = self.stores[request.vector_store_id]
        await self.inference_api.openai_embeddings(
            OpenAIEmbeddingsRequestWithExtraBody(model=store.embedding_model, input=[request.query])
        )
        return QueryChunksResponse(chunks=[], scores=[])


class TextFiles:
    """Makes one chunk of each file."""

    async def shutdown(self) -> None:
        """Do nothing."""

    async def process_file(self, request: Any) -> ProcessFileResponse:
        """Return the chunk."""
        about = ChunkMetadata(chunk_id=uuid.uuid4().hex, document_id=request.file_id)
        chunk = Chunk(content="text", chunk_id=about.chunk_id, metadata={}, chunk_metadata=about)
        return ProcessFileResponse(chunks=[chunk], metadata={})


async def get_provider_impl(_config: Any, deps: Any) -> Any:
    """Return the one of them that has what it needs among `deps`."""
    if Api.inference not in deps:
        return TextFiles()
    vectors = Vectors(deps)
    # The host's code keeps what it tells of stores and files here.
    vectors.kvstore = await kvstore_impl(KVStoreReference(backend="kv_default", namespace="in_memory"))
    return vectors
